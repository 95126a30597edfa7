"""The whole way with a model that hears and speaks by itself: a caller of WAV files, and a Realtime server upstream.

Once that is a server of the tests, which says each word as a tone of its own, so that the recording tells where the
answer fell silent; once a second gateway with its offline agent, so that each takes the other for OpenAI's.
"""

import asyncio
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gateway.replay import ReplayOptions, Report, parse, replay
from gateway.replay.director import Transport
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import AUDIBLE
from media.frames import VOICE_RATE_HZ, Pcm, samples
from tests.agents.fake_realtime import RATE_HZ, WORD_MS, Answer, FakeRealtime, Session
from tests.e2e.test_replay import CALLERS, TIMEOUT_S, check_the_report, heard_side

STEPS = ("ask_long_story.wav", "no_something_else.wav@speaking+1500", "stop.wav@speaking+500")
TWELVE = "once upon some time there were many kind folk that knew nine"
STORY = " ".join([TWELVE] * 7)
"""Each word of four letters, which lasts as long as a tone; the pitches come again after twelve of them."""

PITCHES = 12


@dataclass(frozen=True)
class Played:
    """A replay that is over."""

    told: Report
    heard: Pcm
    upstream: Session | None = None


def command(base_url: str) -> tuple[str, ...]:
    """A gateway that asks the server there."""
    serve = (sys.executable, "-m", "gateway.cli", "serve", "--no-browser", "--port", "0")
    return (*serve, "--agent", "openai_realtime", "--base-url", base_url, "--model", "any", "--data")


async def play(base_url: str, transport: Transport, path: Path) -> tuple[Report, Pcm]:
    steps = tuple(parse(str(CALLERS / step)) for step in STEPS)
    async with own_gateway(command(base_url)) as url:
        options = ReplayOptions(
            steps, url=url, transport=transport, record_path=path, listen_ms=None, timeout_s=TIMEOUT_S
        )
        return await replay(options, Console(file=io.StringIO())), heard_side(path)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """Both at a time."""
    folder = tmp_path_factory.mktemp("replays")

    async def of_tones() -> Played:
        answers = [Answer(text, delay_s=0.1) for text in (STORY, STORY, "All right.")]
        async with FakeRealtime(answers) as server:
            told, heard = await play(server.base_url, "webrtc", folder / "tones.wav")
            return Played(told, heard, server.sessions[0])

    async def of_gateways() -> Played:
        async with own_gateway() as upstream:
            return Played(*await play(f"{upstream}/v1", "websocket", folder / "gateways.wav"))

    async def main() -> dict[str, Played]:
        tones, gateways = await asyncio.gather(of_tones(), of_gateways())
        return {"tones": tones, "gateways": gateways}

    return asyncio.run(main())


@pytest.mark.process
def test_a_second_gateway_is_as_good_a_model_as_any(played: dict[str, Played]) -> None:
    told = played["gateways"].told
    assert told.failure is None
    check_the_report(told)
    story, other = told.responses
    assert "sea" in story.generated_text
    assert "mountains" in other.generated_text  # the one upstream knew what it was to tell instead of


@pytest.mark.process
def test_an_answer_that_brings_its_own_sound_is_talked_over_as_any_other(played: dict[str, Played]) -> None:
    told = played["tones"].told
    assert told.failure is None
    story = told.responses[0]
    assert (story.status, story.reason, story.playout) == ("cancelled", "turn_detected", "cleared")
    assert story.generated_text == story.heard_text + story.unheard_text
    assert [it.cut for it in told.interruptions] == [True, True]
    assert told.interruptions[0].told_after_ms is not None


@pytest.mark.process
def test_the_tone_at_which_it_fell_silent_is_that_of_the_last_word_that_counts_as_heard(
    played: dict[str, Played],
) -> None:
    story = played["tones"].told.responses[0]
    assert story.ended_ms is not None
    number = len(story.heard_text.split()) - 1
    last = pitch_at_the_end(played["tones"].heard[: samples(story.ended_ms, VOICE_RATE_HZ)])
    assert (last - number + 2) % PITCHES - 2 in (-1, 0, 1)


def pitch_at_the_end(sound: Pcm) -> int:
    """The number of the word, of those that share a pitch, whose tone is the last one that sounds for long enough."""
    frame = RATE_HZ // 20
    frames = [sound[at : at + frame] for at in range(0, len(sound) - frame, frame)]
    whole = [it for it in frames if np.abs(it.reshape(5, -1).astype(np.int32)).max(axis=1).min() > AUDIBLE]
    spectrum = np.abs(np.fft.rfft(whole[-1] * np.hanning(frame), n=RATE_HZ))
    return (round((int(spectrum.argmax()) - 200) / 40)) % PITCHES


@pytest.mark.process
def test_the_server_is_told_what_was_said_and_how_much_was_heard(played: dict[str, Played]) -> None:
    told, upstream = played["tones"].told, played["tones"].upstream
    assert upstream is not None
    assert upstream.refused == []
    assert len(upstream.turns) == len(told.transcripts) - (told.transcripts[-1].text == "stop")
    assert len(upstream.cancelled_at) == 2
    (_, asked), (role, heard) = upstream.said()[:2]
    assert int(asked.removesuffix(" ms")) > 2000
    words = int(heard.removesuffix(" ms")) / WORD_MS
    assert role == "assistant"
    assert abs(words - len(told.responses[0].heard_text.split())) < 2
