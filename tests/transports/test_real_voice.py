"""The offline speech engines behind a stock WebSocket: a recorded caller is heard, understood and answered aloud."""

import asyncio
import base64
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.protocol.stock import problems
from tests.transports.server import STOCK, serving

pytest.importorskip("espeakng_loader")
pytest.importorskip("pocketsphinx")

CALLERS = Path(__file__).parents[1] / "data" / "callers"


def caller(name: str) -> list[str]:
    """A recording as a client sends it: base64 of 24 kHz PCM16, 100 ms a piece, and a second of silence."""
    with wave.open(str(CALLERS / f"{name}.wav")) as file:
        rate = file.getframerate()
        recorded = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    at = np.arange(0, len(recorded), rate / 24_000)
    pcm = np.interp(at, np.arange(len(recorded)), recorded).astype("<i2")
    data = np.concatenate([pcm, np.zeros(24_000, "<i2")]).tobytes()
    return [base64.b64encode(data[start : start + 4800]).decode() for start in range(0, len(data), 4800)]


def test_a_recorded_question_is_answered_aloud(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            serving(tmp_path, synthesizer="espeak", recognizer="sphinx") as gateway,
            gateway.socket("model=m", STOCK) as socket,
        ):
            socket.inbox.patience_s = 40
            for piece in caller("ask_time"):
                await socket.send("input_audio_buffer.append", audio=piece)
            said = await socket.get("conversation.item.input_audio_transcription.completed")
            assert "time" in said["transcript"].lower()
            done = (await socket.get("response.done"))["response"]
            assert (done["status"], done["output_modalities"]) == ("completed", ["audio"])
            sound = b"".join(base64.b64decode(event["delta"]) for event in socket.all("response.output_audio.delta"))
            assert len(sound) > 24_000
            assert np.abs(np.frombuffer(sound, "<i2").astype(int)).max() > 1000
            assert all(problems(json.dumps(event)) == [] for event in socket.got)
            heard = [kind for kind in socket.types() if kind.startswith("input_audio_buffer.")]
            assert heard == [f"input_audio_buffer.{name}" for name in ("speech_started", "speech_stopped", "committed")]

    asyncio.run(main())
