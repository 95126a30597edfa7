"""A spoken answer that goes from one device to another over real WebRTC, recorded on both.

Each word is a tone of its own, so that what each device was sent can be read from its sound.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2
import numpy as np
import pytest

from gateway.agents.scripted import ScriptedAgent
from gateway.app import create_app
from gateway.settings import Settings
from media.frames import MIC_RATE_HZ, PTIME_MS, VOICE_RATE_HZ, Pcm, samples
from media.leg import Engines
from media.peer import Peer, PeerOptions
from media.speech import Speech, Word
from tests.e2e.test_call import LIMIT_S, Caller, listening
from tests.media.engines import LoudnessModel, ScriptedRecognizer

pytestmark = pytest.mark.alone

COUNT: Final = 12
LOWEST_HZ, STEP_HZ = 400, 200
TEXT: Final = " ".join(f"word{number}" for number in range(COUNT))


def pitch(number: int) -> int:
    return LOWEST_HZ + STEP_HZ * number


class Scale:
    """Speaks ``word7`` as the seventh tone of a scale."""

    exact_words = True

    def __init__(self, word_ms: int) -> None:
        self._length = samples(word_ms, VOICE_RATE_HZ)

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        for index, word in enumerate(re.finditer(r"\S+", text)):
            time = np.arange(self._length) / VOICE_RATE_HZ
            tone = (8000 * np.sin(2 * np.pi * pitch(int(word.group()[4:])) * time)).astype(np.int16)
            await asyncio.sleep(0)
            yield Speech(tone, (Word(word.start(), word.end(), index * self._length),))

    async def aclose(self) -> None:
        pass


class Recorder(Caller):
    """Somebody who keeps what is to be heard."""

    def __init__(self) -> None:
        super().__init__()
        self.sound: list[Pcm] = []

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.sound.append(pcm)
        super().on_audio(pcm, rtp_time, arrival)

    def words(self) -> Counter[int]:
        """How many ms of each word were heard."""
        pcm = np.concatenate(self.sound).astype(np.float64)
        frame = samples(PTIME_MS, MIC_RATE_HZ)
        found: Counter[int] = Counter()
        for at in range(0, len(pcm) - frame + 1, frame):
            piece = pcm[at : at + frame]
            if np.abs(piece).max() > 1500:
                loudest_hz = float(np.argmax(np.abs(np.fft.rfft(piece * np.hanning(frame), 4096)))) * MIC_RATE_HZ / 4096
                found[round((loudest_hz - LOWEST_HZ) / STEP_HZ)] += PTIME_MS
        return found


@asynccontextmanager
async def served(folder: Path, word_ms: int) -> AsyncIterator[str]:
    engines = Engines(Scale(word_ms), ScriptedRecognizer(), LoudnessModel)
    app = create_app(Settings(data=str(folder), synthesizer="none"), agent=ScriptedAgent(TEXT), engines=engines)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def device(url: str, name: str, session: str = "") -> AsyncIterator[Recorder]:
    caller = Recorder()
    caller.peer = await Peer.offer(caller, caller.pull, PeerOptions(send_rate_hz=MIC_RATE_HZ))
    query = f"?ext=bargein.v1&device={name}" + (f"&session={session}" if session else "")
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{url}/v1/realtime/calls{query}",
            content=caller.peer.offer_sdp,
            headers={"Content-Type": "application/sdp"},
        )
    await caller.peer.connect(answer.text)
    await caller.peer.wait_connected(10)
    await caller.event("session.created")
    try:
        yield caller
    finally:
        await caller.peer.close()


def whole(words: Counter[int], word_ms: int) -> list[int]:
    """Words of which all was heard, but for what a codec smears and a fade takes."""
    return sorted(word for word, ms in words.items() if ms >= word_ms - 2 * PTIME_MS)


@pytest.mark.parametrize("word_ms", [200, 700], ids=["words are finished", "a word may be broken"])
def test_both_recordings_together_hold_each_word_once(tmp_path: Path, word_ms: int) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            served(tmp_path, word_ms) as url,
            device(url, "laptop") as laptop,
        ):
            session = laptop.seen("session.created")[0]["session"]["id"]
            async with device(url, "phone", session) as phone:
                changed = await laptop.event("floor.changed")
                assert (changed["device"], changed["reason"]) == ("laptop", "joined")
                known = phone.seen("session.created")[0]["session"]["bargein"]["floor"]
                assert (known["device"], known["generation"]) == ("laptop", 1)
                laptop.ask("count")
                await laptop.until(lambda: laptop.heard > 3.3 * word_ms / PTIME_MS)
                phone.send(type="floor.claim", event_id="claim")
                await phone.event("command.accepted")
                stopped = await phone.event("output_audio_buffer.stopped")
                await asyncio.sleep(0.3)  # what is on its way is still to be heard
                told = [it["type"] for it in phone.events if it["type"].startswith("output_audio_buffer")]
                assert told == [f"output_audio_buffer.{it}" for it in ("started", "cleared", "started", "stopped")]
                assert [it["response_id"] for it in laptop.seen("output_audio_buffer.stopped")] == [
                    stopped["response_id"]
                ]
                assert len(laptop.seen("response.done")) == 1
                assert not laptop.seen("conversation.item.truncated")
                old, new = whole(laptop.words(), word_ms), whole(phone.words(), word_ms)
                assert old + new == list(range(COUNT)), (laptop.words(), phone.words())
                assert old
                assert new

    asyncio.run(main())


def test_an_answer_goes_to_the_device_that_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * LIMIT_S), served(tmp_path, 200) as url:
            async with device(url, "laptop") as before:
                session = before.seen("session.created")[0]["session"]["id"]
                before.ask("count")
                await before.until(lambda: before.heard > 30)
            async with device(url, "laptop", session) as after:
                await after.event("output_audio_buffer.stopped")
                await asyncio.sleep(0.3)
                assert not after.seen("conversation.item.truncated")
                heard = {*whole(before.words(), 200), *whole(after.words(), 200)}
                assert heard == set(range(COUNT))

    asyncio.run(main())
