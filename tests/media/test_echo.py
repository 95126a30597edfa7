"""The parts of the echo defence, on sounds whose echo is known."""

import numpy as np
import pytest

from media.echo import NoDefence
from media.echo.canceller import KalmanCanceller
from media.echo.delay import STRETCH, DelayFinder, Match, correlate
from media.echo.guard import EchoGuard
from media.echo.reference import BLOCK, MAX_DELAY, Reference, Sound, to_float
from media.echo.suppressor import LATENCY, BandSuppressor
from media.frames import MIC_FRAME, VOICE_FRAME, VOICE_RATE_HZ, Pcm, silence
from media.resample import resample
from tests.media.speech_clips import caller, frames

QUIET = np.random.default_rng(1).normal(0, 10, 400 * MIC_FRAME)
"""A microphone in a quiet room, 16 bit scale."""


def noise(seed: int, count: int) -> Sound:
    return (0.1 * np.random.default_rng(seed).normal(0, 1, count)).astype(np.float32)


def room(seed: int = 3, length: int = 1_600) -> Sound:
    """100 ms of decaying reflections after a direct sound, 12 dB down."""
    taps = np.random.default_rng(seed).normal(0, 0.1, length) * np.exp(-np.arange(length) / 300)
    taps[0] = 1
    return np.asarray(0.25 * taps / np.sqrt(np.sum(taps**2)), dtype=np.float32)


def power_db(sound: Sound | Pcm) -> float:
    full = 32768 if sound.dtype == np.int16 else 1
    return float(10 * np.log10(np.mean((sound / full).astype(np.float64) ** 2) + 1e-15))


def floats(name: str) -> Sound:
    return to_float(caller(name, 16_000))


def echo_of(answer: Pcm, delay: int, gain: float = 0.25) -> Pcm:
    """What a microphone hears of 24 kHz *answer*, *delay* 16 kHz samples later, in a quiet room."""
    dry = resample(answer, VOICE_RATE_HZ, 16_000).astype(np.float64)
    wet = np.convolve(dry, room().astype(np.float64) * gain / 0.25)[: len(dry)]
    heard = np.concatenate((np.zeros(delay), wet))[: len(dry)] + QUIET[: len(dry)]
    return np.rint(heard).astype(np.int16)


# --- the delay ---


@pytest.mark.parametrize("lag", [480, 1_920, 5_120])
def test_the_delay_of_an_echo_is_found(lag: int) -> None:
    sent = floats("ask_long_story")[: MAX_DELAY + STRETCH]
    echo = np.convolve(np.concatenate((np.zeros(lag, dtype=np.float32), sent)), room())[: len(sent)]
    match = correlate(echo[-STRETCH:].astype(np.float32), sent)
    assert abs(match.lag - lag) <= 4
    assert match.peak > DelayFinder.PLAIN


def test_another_voice_is_no_echo() -> None:
    sent = floats("ask_long_story")[: MAX_DELAY + STRETCH]
    other = floats("no_something_else")
    finder = DelayFinder()
    for at in range(STRETCH, len(other), 1_000):
        assert finder.offer(correlate(other[at - STRETCH : at], sent)) is None


def test_a_delay_is_believed_when_it_is_found_twice() -> None:
    finder = DelayFinder()
    weak = DelayFinder.TWICE + 0.1
    assert finder.offer(Match(1_000, weak)) is None
    assert finder.offer(Match(3_000, weak)) is None
    assert finder.offer(Match(3_010, weak)) == 3_010
    finder.forget()
    assert finder.offer(Match(3_010, weak)) is None
    assert finder.offer(Match(7_000, DelayFinder.PLAIN)) == 7_000


# --- the canceller ---


def cancelled(canceller: KalmanCanceller, sent: Sound, mic: Sound) -> Sound:
    left = []
    for at in range(0, len(mic) - BLOCK + 1, BLOCK):
        canceller.refer(sent[at : at + BLOCK])
        left.append(canceller.cancel(mic[at : at + BLOCK]))
    return np.concatenate(left)


def test_the_canceller_learns_a_room() -> None:
    sent = noise(1, 100 * BLOCK)
    echo = np.convolve(sent, room())[: len(sent)].astype(np.float32)
    canceller = KalmanCanceller()
    canceller.start(0.06)
    left = cancelled(canceller, sent, echo + 0.001 * noise(2, len(sent)))
    assert power_db(left[-20 * BLOCK :]) < power_db(echo) - 25
    assert canceller.direct() == 0


def test_a_voice_over_the_echo_stays_and_does_not_spoil_the_room() -> None:
    sent = noise(1, 150 * BLOCK)
    echo = np.convolve(sent, room())[: len(sent)].astype(np.float32)
    voice = np.zeros_like(echo)
    speech = floats("no_something_else")
    voice[50 * BLOCK : 50 * BLOCK + len(speech)] = speech[: 100 * BLOCK]
    canceller = KalmanCanceller()
    canceller.start(0.06)
    left = cancelled(canceller, sent, echo + voice + 0.001 * noise(2, len(sent)))
    spoken = slice(50 * BLOCK, 50 * BLOCK + len(speech))
    assert abs(power_db(left[spoken]) - power_db(voice[spoken])) < 1
    assert power_db(left[spoken] - voice[spoken]) < power_db(voice[spoken]) - 12


@pytest.mark.parametrize("samples", [100, -40])
def test_the_room_is_known_after_a_shift(samples: int) -> None:
    sent, lead = noise(1, 120 * BLOCK), 200
    echo = np.convolve(np.concatenate((np.zeros(lead, dtype=np.float32), sent)), room(length=800))[: len(sent)]
    echo = echo.astype(np.float32)
    canceller = KalmanCanceller()
    canceller.start(0.06)
    half = 60 * BLOCK
    cancelled(canceller, sent[:half], echo[:half])
    assert canceller.direct() == lead
    late = np.concatenate((np.zeros(max(samples, 0), dtype=np.float32), sent))[max(-samples, 0) :]
    canceller.shift(samples, late[half - canceller.length - BLOCK : half])
    assert canceller.direct() == lead - samples
    left = cancelled(canceller, late[half : half + 2 * BLOCK], echo[half : half + 2 * BLOCK])
    assert power_db(left) < power_db(echo) - 12


# --- the suppressor ---


def test_the_suppressor_gives_what_it_takes_while_nothing_was_sent() -> None:
    suppressor = BandSuppressor()
    suppressor.start(0.1)
    sound = noise(5, 10 * BLOCK)
    given = []
    for at in range(0, len(sound), BLOCK):
        suppressor.refer(np.zeros(BLOCK, dtype=np.float32))
        given.append(suppressor.subdue(sound[at : at + BLOCK]))
    assert np.abs(np.concatenate(given)[LATENCY:] - sound[:-LATENCY]).max() < 1e-4


def test_the_suppressor_subdues_what_the_leakage_explains() -> None:
    suppressor = BandSuppressor()
    suppressor.start(0.01)
    sent = noise(6, 50 * BLOCK)
    left = []
    for at in range(0, len(sent), BLOCK):
        suppressor.refer(sent[at : at + BLOCK])
        left.append(suppressor.subdue(sent[at : at + BLOCK] * np.float32(0.1)))
    assert power_db(np.concatenate(left)) < power_db(sent) - 20 - 25
    assert suppressor.unexplained < 0.05


# --- the reference ---


def test_the_reference_is_zero_where_nothing_was_sent_or_is_not_yet() -> None:
    reference = Reference()
    reference.push(np.full(VOICE_FRAME, 8_000, dtype=np.int16))
    taken = reference.until(reference.end + 100, 2 * MIC_FRAME)
    assert len(taken) == 2 * MIC_FRAME
    assert not taken[-100:].any()
    assert not taken[: MIC_FRAME - 100].any()
    assert abs(taken[-200] - 8_000 / 32768) < 0.01
    assert len(reference.until(reference.end - 10**6, 10)) == 10
    assert len(reference.until(reference.end + 10**6, 10)) == 10


def test_only_loud_sound_leaves_an_echo_and_not_for_ever() -> None:
    reference = Reference()
    reference.push(np.full(VOICE_FRAME, 100, dtype=np.int16))
    assert not reference.echoes(0)
    reference.push(np.full(VOICE_FRAME, 8_000, dtype=np.int16))
    assert reference.echoes(reference.end + MAX_DELAY)
    assert not reference.echoes(reference.end + 16_000)


# --- the guard ---


def listen(guard: EchoGuard, answer: Pcm, mic: Pcm, chunk: int = MIC_FRAME) -> tuple[Pcm, Pcm]:
    """Play and hear in step, the microphone in pieces of *chunk* samples."""
    judged, words = [], []
    at = 0
    for index, frame in enumerate(frames(answer, VOICE_FRAME)):
        guard.reference(frame)
        while at + chunk <= (index + 1) * MIC_FRAME:
            heard = guard.hear(mic[at : at + chunk])
            judged.append(heard.judged)
            words.append(heard.words)
            at += chunk
    return np.concatenate(judged), np.concatenate(words)


def test_without_an_echo_the_very_sound_is_handed_on() -> None:
    guard = EchoGuard()
    answer = caller("ask_long_story", VOICE_RATE_HZ)
    voice = caller("no_something_else", 16_000)
    for index, frame in enumerate(frames(answer, VOICE_FRAME)):
        guard.reference(frame)
        over = voice[(index - 60) * MIC_FRAME :][:MIC_FRAME] if index >= 60 else silence(0)
        mic = over if len(over) == MIC_FRAME else QUIET[index * MIC_FRAME :][:MIC_FRAME].astype(np.int16)
        heard = guard.hear(mic)
        assert heard.judged is mic
        assert heard.words is mic
    assert not guard.coupled


def test_before_anything_sounds_the_very_sound_is_handed_on() -> None:
    guard, none = EchoGuard(), NoDefence()
    for frame in frames(caller("stop", 16_000), MIC_FRAME):
        guard.reference(None)
        assert guard.hear(frame).judged is frame
        assert none.hear(frame).words is frame


def test_the_first_echo_of_a_call_is_not_judged_and_then_gone() -> None:
    answer = caller("ask_long_story", VOICE_RATE_HZ)
    mic = echo_of(answer, 1_600)
    guard = EchoGuard()
    judged, words = listen(guard, answer, mic)
    assert guard.coupled
    assert power_db(judged) < power_db(mic) - 20
    late = slice(len(words) // 2, None)
    assert power_db(words[late]) < power_db(mic[late]) - 12


@pytest.mark.parametrize("chunk", [160, 320, 441, 960])
def test_no_sample_is_lost_or_made_up(chunk: int) -> None:
    answer = caller("ask_long_story", VOICE_RATE_HZ)
    mic = echo_of(answer, 1_600)
    guard = EchoGuard()
    judged, words = listen(guard, answer, mic, chunk)
    assert guard.coupled
    assert len(judged) == len(words)
    taken = len(mic) - len(mic) % MIC_FRAME
    assert taken - BLOCK - chunk < len(judged) <= taken


def test_a_microphone_that_was_away_is_placed_anew() -> None:
    answer = caller("ask_long_story", VOICE_RATE_HZ)
    mic = echo_of(answer, 1_600)
    guard = EchoGuard()
    listen(guard, answer, mic)
    for _ in range(200):  # four seconds in which the client sends nothing
        guard.reference(None)
    judged, _ = listen(guard, answer, mic)
    late = slice(len(judged) // 3, None)  # the echo may have moved, and is found again
    assert power_db(judged[late]) < power_db(mic[late]) - 20


def test_an_answer_that_is_sent_ahead_of_its_time_is_known_when_it_comes_back() -> None:
    """As over a WebSocket: 200 ms at once, then in step; and silence in between that is no part of what is played."""
    sent, lead = frames(caller("ask_long_story", VOICE_RATE_HZ), VOICE_FRAME), 10
    mic = frames(echo_of(np.concatenate(sent), 1_600), MIC_FRAME)
    guard = EchoGuard()
    for _ in range(3):
        for frame in sent[:lead]:
            guard.reference(frame)
        judged = []
        for index, heard in enumerate(mic):
            guard.reference(sent[index + lead] if index + lead < len(sent) else None)
            judged.append(guard.hear(heard).judged)
        for index in range(50):
            guard.reference(None)
            guard.hear(QUIET[index * MIC_FRAME :][:MIC_FRAME].astype(np.int16))
        assert guard.coupled
        assert power_db(np.concatenate(judged)) < power_db(np.concatenate(mic)) - 10
