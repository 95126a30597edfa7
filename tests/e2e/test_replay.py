"""The whole way: a caller of WAV files, a gateway of its own, real engines; and the recording agrees with the words.

A question is answered by a long story, the caller speaks over it, the answer falls silent and keeps what was heard,
and a second answer follows, which "stop" ends for good.
"""

import asyncio
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from gateway.replay import ReplayOptions, Report, parse, replay
from gateway.replay.director import Transport
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import AUDIBLE
from gateway.replay.timeline import Response
from media.frames import VOICE_RATE_HZ, Pcm, samples
from media.speaking.loudness import Loudness
from media.speech.clauses import Clauses
from media.speech.espeak import Espeak

pytestmark = [pytest.mark.process, pytest.mark.alone]

CALLERS = Path(__file__).parent.parent / "data" / "callers"
FRAME = 480
HOP = 120
"""Sound is compared every 5 ms, 20 ms at a time."""

WINDOW = 80
SLACK = 6
"""In steps of 5 ms: how much is looked for at a time, and what a fade or a concealed packet may blur."""

TIMEOUT_S = 45.0

Rows: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Whole:
    """All of an answer as it would have sounded."""

    pcm: Pcm
    starts: list[int]
    """The sample at which each word begins, in order."""


async def synthesis(text: str) -> Whole:
    """The answer's text spoken as a voice leg speaks it, clause by clause."""
    engine, splitter, loudness = Espeak(), Clauses(), Loudness()
    pieces: list[Pcm] = []
    starts: list[int] = []
    try:
        for clause in (*splitter.feed(text), *splitter.finish()):
            base = sum(len(piece) for piece in pieces)
            async for speech in engine.speak(clause.text):
                pieces.append(loudness.level(speech.pcm))
                starts += [base + word.sample for word in speech.words]
    finally:
        await engine.aclose()
    return Whole(np.concatenate(pieces), starts)


def voiced(pcm: Pcm) -> tuple[Rows, NDArray[np.intp]]:
    """What an ear would compare: a spectrum up to 4 kHz wherever there is sound, and the samples where those begin.

    Not the samples themselves: espeak-ng puts its glottal pulses at other places each time, and Opus keeps spectra
    better. Silence is left out because a pause, or a stall of a busy machine, adds some and takes no sound away.
    """
    frames = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), FRAME)[::HOP]
    loud = np.flatnonzero(np.abs(frames).max(axis=1) > AUDIBLE)
    spectra = np.abs(np.fft.rfft(frames[loud] * np.hanning(FRAME)))[:, : FRAME * 4_000 // VOICE_RATE_HZ]
    return np.log1p(spectra / 1000), loud * HOP


def found_at(piece: Rows, whole: Rows) -> tuple[int, float]:
    """The row of *whole* where *piece* fits best, and how well: the normalised cross-correlation, 1 when equal."""
    mean = whole.mean(axis=0)
    wide, short = whole - mean, piece - mean
    windows = (wide[at : at + len(short)] for at in range(len(wide) - len(short) + 1))
    likeness = np.array([np.vdot(it, short) / (np.linalg.norm(it) * np.linalg.norm(short)) for it in windows])
    best = int(likeness.argmax())
    return best, float(likeness[best])


def heard_side(path: Path) -> Pcm:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, VOICE_RATE_HZ)
        right: Pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)[:, 1]
    return right


def grunt(path: Path) -> Path:
    """A voiced sound of 60 ms, as in a cough: enough to make a detector suspect a voice, too short to be one."""
    with wave.open(str(CALLERS / "wait_stop.wav")) as file:
        rate_hz = file.getframerate()
        spoken = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    piece = spoken[samples(100, rate_hz) : samples(160, rate_hz)].astype(np.float64)
    ramp = np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / samples(10, rate_hz)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes((piece * np.minimum(ramp, 1)).astype("<i2").tobytes())
    return path


@dataclass(frozen=True)
class Played:
    """A replay that is over: its report, and the sound of the answers."""

    told: Report
    heard: Pcm


Scenario: TypeAlias = Literal["objection", "grunt"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Scenario, Transport], Played]:
    """Both scenarios over both transports, two callers of one gateway at a time."""
    folder = tmp_path_factory.mktemp("replays")
    cough = grunt(folder / "grunt.wav")
    scenarios: dict[Scenario, list[str]] = {
        "objection": ["ask_long_story.wav", "no_something_else.wav@speaking+1500", "stop.wav@speaking+500"],
        "grunt": ["ask_time.wav", f"{cough}@speaking+500"],
    }
    transports: tuple[Transport, ...] = ("webrtc", "websocket")

    async def play(url: str, scenario: Scenario, transport: Transport) -> Played:
        steps = tuple(parse(str(CALLERS / step)) for step in scenarios[scenario])
        path = folder / f"{scenario}-{transport}.wav"
        options = ReplayOptions(
            steps, url=url, transport=transport, record_path=path, listen_ms=None, timeout_s=TIMEOUT_S
        )
        return Played(await replay(options, Console(file=io.StringIO())), heard_side(path))

    async def main() -> dict[tuple[Scenario, Transport], Played]:
        done: dict[tuple[Scenario, Transport], Played] = {}
        async with own_gateway() as url:
            for name in scenarios:
                both = await asyncio.gather(*(play(url, name, transport) for transport in transports))
                done |= {(name, transport): it for transport, it in zip(transports, both, strict=True)}
        return done

    return asyncio.run(main())


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_an_answer_that_is_talked_over_keeps_what_was_heard(
    transport: Transport, played: dict[tuple[Scenario, Transport], Played]
) -> None:
    objection = played["objection", transport]
    assert objection.told.failure is None
    check_the_report(objection.told)
    check_the_cut(objection.told.responses[0], objection.heard)


def check_the_report(told: Report) -> None:
    assert [bool(it.text) for it in told.transcripts] == [True, True, True]
    story, other = told.responses
    assert other.created_ms > told.transcripts[1].t_ms
    for answer in (story, other):
        assert answer.generated_text == answer.heard_text + answer.unheard_text
        assert answer.unheard_text
        assert (answer.playout, answer.reason) == ("cleared", "turn_detected")
    assert story.heard_text
    objection, stop = told.interruptions
    assert (objection.step, objection.response_id) == (2, story.response_id)
    assert (stop.step, stop.response_id) == (3, other.response_id)
    for interruption in (objection, stop):
        assert (interruption.paused, interruption.cut) == (True, True)
        assert interruption.told_after_ms is not None


def check_the_cut(story: Response, heard: Pcm) -> None:
    """The last sound before the cut, found in the whole answer, lies at the last word that counts as heard."""
    assert story.ended_ms is not None
    sound, _ = voiced(heard[: samples(story.ended_ms, VOICE_RATE_HZ)])
    whole = asyncio.run(synthesis(story.generated_text))
    rows, begin = voiced(whole.pcm)
    at, likeness = found_at(sound[-WINDOW:], rows)
    assert likeness > 0.5
    cut = begin[at + WINDOW - 1] + FRAME
    finished = sum(start < cut for start in whole.starts) - 1
    assert abs(finished - len(story.heard_text.split())) <= 1


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_a_grunt_pauses_the_answer_and_nothing_of_it_is_missing(
    transport: Transport, played: dict[tuple[Scenario, Transport], Played]
) -> None:
    told, heard = played["grunt", transport].told, played["grunt", transport].heard
    assert told.failure is None
    [answer] = told.responses
    assert (answer.playout, answer.heard_text) == ("stopped", answer.generated_text)
    [interruption] = told.interruptions
    assert not interruption.cut
    assert interruption.resumed == interruption.paused
    check_nothing_is_left_out(asyncio.run(synthesis(answer.generated_text)).pcm, heard)


def check_nothing_is_left_out(whole: Pcm, heard: Pcm) -> None:
    """Piece by piece, what was heard goes on in the answer where the piece before it ended, from beginning to end."""
    rows, _ = voiced(whole)
    sound, _ = voiced(heard)
    covered = 0
    for piece in np.array_split(sound, len(sound) // WINDOW):
        at, likeness = found_at(piece, rows)
        assert likeness > 0.5
        assert at <= covered + SLACK
        covered = at + len(piece)
    assert covered >= len(rows) - SLACK
