"""The echo defence in a closed loop: a real leg, its own answer in the room, and a user, on virtual time."""

import asyncio
from functools import cache

import numpy as np
import pytest

from benchmarks.room import Call, Outcome, RoomOptions, Talk
from media.echo import Defence, NoDefence
from media.echo.guard import EchoGuard
from media.frames import MIC_RATE_HZ, PTIME_MS, VOICE_RATE_HZ, Pcm
from media.vad.silero import load_model
from tests.media.speech_clips import caller


def scaled(pcm: Pcm, dbfs: float) -> Pcm:
    """At this level while it is loud."""
    loud = pcm[np.abs(pcm.astype(np.int32)) > 500].astype(np.float64)
    return np.asarray(pcm * (32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(loud**2))), dtype=np.int16)


@cache
def answer() -> Pcm:
    names = ("ask_long_story", "my_name", "ask_count", "what_is_my_name", "ask_time", "thank_you")
    return scaled(np.concatenate([caller(name, VOICE_RATE_HZ) for name in names]), -20)


def talk(at_ms: int, name: str = "no_something_else", dbfs: float = -24) -> Talk:
    pcm = scaled(caller(name, MIC_RATE_HZ), dbfs)
    return Talk(at_ms, pcm[int(np.argmax(np.abs(pcm.astype(np.int32)) > 300)) :])


def called(
    options: RoomOptions, *talks: Talk, seconds: float = 8, defence: type[Defence] = EchoGuard
) -> tuple[Outcome, list[tuple[int, str]]]:
    """What came of a call, and the leg's reports with their times in ms."""
    call = Call(answer(), options, talks, int(seconds * 1000 / PTIME_MS), load_model, defence)
    outcome = asyncio.run(call.run())
    return outcome, call.log


ROOMS = [
    RoomOptions(echo_db=-6, delay_ms=30, seed=1),
    RoomOptions(echo_db=-12, delay_ms=125, rt60_s=0.45, direct_db=0, seed=2),
    RoomOptions(echo_db=-20, delay_ms=320, rt60_s=0.2, seed=3),
]


def test_without_a_defence_an_answer_cuts_itself() -> None:
    outcome, _ = called(ROOMS[1], defence=NoDefence)
    assert outcome.self_cuts > 1
    assert outcome.self_cuts_ms[0] < 1_200
    assert outcome.audible < 0.5


@pytest.mark.parametrize("options", ROOMS)
def test_an_answer_is_not_cut_by_its_echo_and_does_not_stutter(options: RoomOptions) -> None:
    outcome, _ = called(options, seconds=10)
    assert outcome.self_cuts == 0
    assert outcome.false_pauses <= 1
    assert outcome.double_pauses == 0
    assert outcome.audible >= 0.96


@pytest.mark.parametrize("options", ROOMS)
def test_a_voice_over_the_echo_pauses_and_cuts(options: RoomOptions) -> None:
    outcome, _ = called(options, talk(4_000), seconds=7)
    (catch,) = outcome.catches
    assert catch.paused_ms is not None
    assert catch.paused_ms <= 400
    assert catch.cut_ms is not None
    assert catch.cut_ms <= 1_500
    assert outcome.self_cuts == 0


def test_without_an_echo_everything_is_as_without_a_defence() -> None:
    headset = RoomOptions(echo_db=None, seed=4)
    talks = (talk(2_000, "stop"), talk(5_000))
    guarded, plain = (called(headset, *talks, defence=defence) for defence in (EchoGuard, NoDefence))
    assert guarded == plain
    assert all(catch.cut_ms is not None for catch in guarded[0].catches)


def test_a_voice_over_the_first_word_of_a_call_is_heard() -> None:
    outcome, _ = called(RoomOptions(echo_db=-15, delay_ms=100, seed=5), talk(300), seconds=3)
    (catch,) = outcome.catches
    assert catch.cut_ms is not None
    assert catch.cut_ms <= 1_500


@pytest.mark.parametrize("ppm", [-100, 100])
def test_a_clock_that_drifts_is_followed(ppm: float) -> None:
    # 100 ppm are 1.6 samples a second: as much as five minutes at 5 ppm in a quarter of a minute.
    outcome, _ = called(RoomOptions(echo_db=-12, delay_ms=60, drift_ppm=ppm, seed=6), seconds=16)
    assert outcome.self_cuts == 0
    assert outcome.false_pauses <= 1


@pytest.mark.parametrize("delay_ms", [60, 220])
def test_an_echo_that_moves_is_found_again(delay_ms: float) -> None:
    outcome, _ = called(RoomOptions(echo_db=-12, delay_ms=130, moves=((4_000, delay_ms),), seed=7), seconds=12)
    # While it is being found the answer may pause; afterwards there is peace.
    assert [at for at in (*outcome.self_cuts_ms, *outcome.false_pauses_ms) if not 4_000 <= at <= 5_500] == []
