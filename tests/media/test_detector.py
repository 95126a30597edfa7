"""The detector: its rules one by one, with a scripted model."""

import wave
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.frames import Pcm, from_bytes, silence
from media.hearing.detector import DEFAULTS, Detector, with_threshold
from media.hearing.edges import Confirmed, Dismissed, Edge, Ended, Suspected, Sustained
from media.hearing.profiles import AgentState, DetectorOptions, Profiles
from media.vad import WINDOW
from media.vad.webrtc import WebRtcGate

CALLERS = Path(__file__).parents[1] / "data" / "callers"


class Written:
    """A speech model that reads the probability, in thousandths, from the window's samples; notes what it is given."""

    name = "written"

    def __init__(self) -> None:
        self.windows: list[Pcm] = []
        self.resets_at: list[int] = []

    def probability(self, window: Pcm) -> float:
        self.windows.append(window.copy())
        return float(window.mean()) / 1000

    def reset(self) -> None:
        self.resets_at.append(len(self.windows))

    def fork(self, before: Pcm) -> "Written":
        assert before.shape == (WINDOW,)
        return Written()


ONE = DetectorOptions(streams=1, suspect_p=0.3, confirm_evidence=0)
"""A window every 32 ms, and plain voice counts alone: what most rules are told by."""


def ear(options: DetectorOptions = ONE, model: Written | None = None) -> Detector:
    """A detector that judges by *options* in every state, but asks webrtcvad first while nothing sounds."""
    gated = replace(options, gated=True)
    return Detector(Profiles(gated, gated, options), model or Written())


def written(*ps: float) -> Pcm:
    """Sound whose windows :class:`Written` takes for these probabilities."""
    return np.repeat(np.array([round(p * 1000) for p in ps], dtype=np.int16), WINDOW)


def edges_of(*ps: float, options: DetectorOptions = ONE) -> list[Edge]:
    return ear(options).process(written(*ps), True)


def kinds(edges: Sequence[Edge]) -> list[type]:
    return [type(edge) for edge in edges]


def clip(path: Path) -> Pcm:
    with wave.open(str(path)) as file:
        return from_bytes(file.readframes(file.getnframes()))


def caller(name: str) -> Pcm:
    """A caller's words between two seconds of silence."""
    return np.concatenate((silence(16_000), clip(CALLERS / f"{name}.wav"), silence(16_000)))


def feed(detector: Detector, pcm: Pcm, sounding: AgentState | bool = True, size: int = 320) -> list[Edge]:
    return [edge for at in range(0, len(pcm), size) for edge in detector.process(pcm[at : at + size], sounding)]


def assert_well_formed(edges: Sequence[Edge], end_ms: int) -> None:
    """Every suspicion ends in one dismissal, or one confirmation and one end; times are those of one clock."""
    may_follow: dict[type | None, set[type]] = {
        None: {Suspected},
        Suspected: {Confirmed, Dismissed},
        Confirmed: {Sustained, Ended},
        Sustained: {Ended},
        Ended: {Suspected},
        Dismissed: {Suspected},
    }
    last: type | None = None
    at_ms = onset_ms = floor_ms = 0
    for edge in edges:
        assert type(edge) in may_follow[last]
        assert at_ms <= edge.at_ms <= end_ms
        assert floor_ms <= edge.onset_ms <= edge.at_ms
        assert isinstance(edge, Suspected) or edge.onset_ms == onset_ms
        last, at_ms, onset_ms = type(edge), edge.at_ms, edge.onset_ms
        if isinstance(edge, Ended):
            assert edge.onset_ms < edge.end_ms <= edge.at_ms
            assert 0 < edge.voiced_ms <= edge.end_ms - edge.onset_ms
            floor_ms = edge.end_ms


def test_one_window_at_the_threshold_is_suspected_and_one_below_is_not() -> None:
    assert edges_of(0.1, 0.3) == [Suspected(onset_ms=32, at_ms=64)]
    assert edges_of(0.1, 0.299) == []


def test_three_plain_windows_confirm() -> None:
    assert edges_of(0.1, 0.6, 0.6) == [Suspected(32, 64)]
    assert edges_of(0.1, 0.6, 0.6, 0.6) == [Suspected(32, 64), Confirmed(32, 128)]
    assert edges_of(0.1, 0.599, 0.599, 0.599) == [Suspected(32, 64)]


def test_plain_windows_need_not_touch_but_must_lie_together() -> None:
    assert edges_of(0.6, 0.3, 0.6, 0.3, 0.3, 0.3, 0.6)[-1] == Confirmed(0, 224)
    assert kinds(edges_of(0.6, 0.3, 0.6, 0.3, 0.3, 0.3, 0.3, 0.6)) == [Suspected]


def test_the_span_includes_the_window_that_begins_with_it() -> None:
    assert edges_of(0.6, 0.6, 0.6, options=replace(ONE, confirm_within_ms=96))[-1] == Confirmed(0, 96)
    assert kinds(edges_of(0.6, 0.6, 0.6, options=replace(ONE, confirm_within_ms=95))) == [Suspected]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_much_plain_voice_confirms_as_the_option_says(count: int) -> None:
    edges = edges_of(*[0.9] * 8, options=replace(ONE, confirm_ms=32 * count))
    assert edges == [Suspected(0, 32), Confirmed(0, 32 * count)]


def test_quiet_dismisses_a_suspicion() -> None:
    assert edges_of(0.4, *[0.1] * 4) == [Suspected(0, 32)]
    assert edges_of(0.4, *[0.1] * 5) == [Suspected(0, 32), Dismissed(0, 192)]
    assert edges_of(0.4, 0.1, options=replace(ONE, release_ms=32))[-1] == Dismissed(0, 64)


def test_a_suspicion_is_never_dismissed_while_voice_continues() -> None:
    assert kinds(edges_of(0.4, *[0.1, 0.1, 0.1, 0.1, 0.2] * 8)) == [Suspected]


def test_quiet_ends_a_confirmed_utterance_where_the_voice_ended() -> None:
    spoken = [0.9] * 5
    assert kinds(edges_of(*spoken, *[0.1] * 7)) == [Suspected, Confirmed]
    assert edges_of(*spoken, *[0.1] * 8)[-1] == Ended(onset_ms=0, end_ms=160, at_ms=416, voiced_ms=160)
    assert edges_of(*spoken, *[0.1] * 2, options=replace(ONE, ended_ms=64))[-1] == Ended(0, 160, 224, 160)


def test_a_pause_between_words_does_not_end_an_utterance() -> None:
    assert edges_of(*[0.9] * 5, *[0.1] * 7, *[0.9] * 5, *[0.1] * 8)[-1] == Ended(0, 544, 800, 320)


def test_voice_that_lasts_is_sustained_once() -> None:
    edges = edges_of(*[0.9] * 60)
    assert edges == [Suspected(0, 32), Confirmed(0, 96), Sustained(0, 768, voiced_ms=768)]
    assert kinds(edges_of(*[0.9] * 23)) == [Suspected, Confirmed]
    assert edges_of(*[0.9] * 10, options=replace(ONE, sustained_ms=96))[-1] == Sustained(0, 96, 96)


def test_pauses_do_not_count_as_voice() -> None:
    assert kinds(edges_of(*([0.9] * 10 + [0.1] * 7) * 2, 0.9)) == [Suspected, Confirmed]


def test_a_suspicion_that_stays_unclear_is_dismissed_in_time() -> None:
    edges = edges_of(*[0.4] * 100)
    assert kinds(edges) == [Suspected, Dismissed]
    assert 2_000 - 32 < edges[1].at_ms - edges[0].at_ms <= 2_000


def test_a_suspicion_likelier_voice_than_not_is_confirmed_in_time() -> None:
    edges = edges_of(*[0.5] * 100)
    assert kinds(edges) == [Suspected, Confirmed, Sustained]
    assert edges[1].at_ms == edges[2].at_ms == 32 + 1_984
    assert kinds(edges_of(*[0.5] * 100, options=replace(ONE, decide_p=0.51))) == [Suspected, Dismissed]
    assert edges_of(*[0.5] * 100, options=replace(ONE, decide_ms=320))[1] == Confirmed(0, 352)


def test_the_same_sound_is_not_suspected_again_before_a_quiet_window() -> None:
    assert kinds(edges_of(*[0.4] * 300)) == [Suspected, Dismissed]
    edges = edges_of(*[0.4] * 70, 0.199, 0.4)
    assert kinds(edges) == [Suspected, Dismissed, Suspected]
    assert edges[2] == Suspected(onset_ms=71 * 32, at_ms=72 * 32)


def test_a_voice_over_a_noise_that_was_dismissed_is_heard() -> None:
    edges = edges_of(*[0.4] * 100, *[0.9] * 30, *[0.1] * 8)
    assert kinds(edges) == [Suspected, Dismissed, Suspected, Confirmed, Sustained, Ended]
    assert edges[2:4] == [Suspected(3_200, 3_296), Confirmed(3_200, 3_296)]
    assert edges[4] == Sustained(3_200, 3_200 + 768, 768)


def test_a_suspicion_dismissed_in_a_pause_may_rise_again_at_once() -> None:
    edges = edges_of(*[0.4] * 62, 0.1, 0.4)
    assert kinds(edges) == [Suspected, Dismissed, Suspected]


def test_the_onset_is_where_the_run_of_voice_began() -> None:
    assert edges_of(0.1, 0.1, 0.2, 0.25, 0.3) == [Suspected(onset_ms=64, at_ms=160)]
    assert edges_of(0.1, 0.25, 0.1, 0.25, 0.3) == [Suspected(onset_ms=96, at_ms=160)]


def test_the_onset_is_found_within_the_window_and_before_it() -> None:
    late = np.concatenate((silence(WINDOW + 256), np.full(256, 1_000, dtype=np.int16), silence(WINDOW)))
    assert ear().process(late, True)[0] == Suspected(onset_ms=32, at_ms=64)
    early = np.concatenate((silence(448), np.full(WINDOW + 64, 1_000, dtype=np.int16)))
    assert ear().process(early, True)[0] == Suspected(onset_ms=28, at_ms=64)


def test_no_onset_lies_before_the_end_of_the_last_utterance() -> None:
    options = replace(ONE, ended_ms=32)
    edges = edges_of(0.9, 0.9, 0.9, 0.19, 0.9, 0.9, 0.9, options=options)
    assert_well_formed(edges, 7 * 32)
    assert kinds(edges) == [Suspected, Confirmed, Ended, Suspected, Confirmed]


@pytest.mark.parametrize(
    ("threshold", "confirm_p"), [(0.5, 0.6), (0.0, 0.3), (0.1, 0.3), (0.7, 0.8), (0.9, 0.95), (1, 0.95)]
)
def test_the_threshold_of_realtime_moves_what_confirms_and_nothing_else(threshold: float, confirm_p: float) -> None:
    moved = with_threshold(DEFAULTS, threshold)
    for state in AgentState:
        assert moved.of(state) == replace(DEFAULTS.of(state), confirm_p=confirm_p)


def test_a_low_threshold_confirms_what_would_not_have_been_suspected() -> None:
    profiles = with_threshold(Profiles(ONE, ONE, replace(ONE, suspect_p=0.6, confirm_evidence=0.5)), 0.2)
    sound = written(*[0.55] * 20)
    assert kinds(Detector(profiles, Written()).process(sound, True)) == [Suspected, Confirmed]


segments = st.lists(
    st.tuples(st.lists(st.integers(0, 1_000), min_size=1, max_size=40), st.booleans()), min_size=1, max_size=8
)


@settings(max_examples=40, deadline=None)
@given(segments, st.integers(45, 2_000), st.integers(0, 511), st.sampled_from([1, 2, 4]))
def test_edges_are_well_formed_and_do_not_depend_on_the_frames(
    script: list[tuple[list[int], bool]], size: int, skew: int, streams: int
) -> None:
    options = replace(ONE, streams=streams)
    whole, cut = ear(options), ear(options)
    expected = whole.process(silence(skew), False)
    edges = feed(cut, silence(skew), False, size=size)
    for ps, sounding in script:
        pcm = written(*(p / 1_000 for p in ps))
        expected += whole.process(pcm, sounding)
        edges += feed(cut, pcm, sounding, size)
    assert edges == expected
    assert whole.clock_ms == cut.clock_ms
    assert_well_formed(edges, cut.clock_ms)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 1_000), min_size=1, max_size=150),
    st.builds(
        DetectorOptions,
        streams=st.sampled_from([1, 2, 4]),
        confirm_ms=st.integers(1, 150),
        confirm_evidence=st.floats(0, 3),
        confirm_within_ms=st.integers(32, 400),
        release_ms=st.integers(0, 300),
        ended_ms=st.integers(1, 400),
        sustained_ms=st.integers(1, 900),
        decide_ms=st.integers(0, 2_000),
    ),
)
def test_edges_are_well_formed_with_any_timing(ps: list[int], options: DetectorOptions) -> None:
    edges = edges_of(*(p / 1_000 for p in ps), options=options)
    assert_well_formed(edges, 32 * len(ps))
    for raised, decided in pairwise(edges):
        if isinstance(raised, Suspected):
            assert decided.at_ms - raised.at_ms <= options.decide_ms


def test_a_model_is_spared_the_silence_while_nothing_sounds() -> None:
    model = Written()
    feed(ear(model=model), silence(10 * WINDOW), False)
    assert model.windows == []


def test_every_window_is_heard_while_an_answer_sounds() -> None:
    model = Written()
    sound = np.arange(10 * WINDOW, dtype=np.int16)
    feed(ear(model=model), sound, True)
    assert np.array_equal(np.concatenate(model.windows), sound)
    assert model.resets_at == [0]


def heard_through_the_gate(sound: Pcm) -> Written:
    model = Written()
    feed(ear(replace(ONE, suspect_p=2, suspect_at_once_p=2, confirm_ms=9_999), model), sound, False)
    return model


def test_the_gate_opens_with_the_last_200_ms_and_the_stream_begins_anew() -> None:
    sound = caller("my_name")
    model = heard_through_the_gate(sound)
    heard = np.concatenate(model.windows)
    first = next(at for at in range(0, len(sound), WINDOW) if np.array_equal(sound[at : at + len(heard)], heard))
    voice = 16_000
    preroll = 7 * WINDOW
    assert voice - preroll <= first <= voice
    assert preroll >= 3_200
    assert model.resets_at == [0, 0], "once when it is made, once for the hole"


def test_a_stream_without_a_hole_is_not_reset() -> None:
    model = Written()
    detector = ear(replace(ONE, suspect_p=2, suspect_at_once_p=2, confirm_ms=9_999), model)
    detector.process(written(*[0.1] * 5), True)
    detector.process(written(*[0.0] * 15), True)
    heard = len(model.windows)
    assert 5 + 300 // 32 <= heard < 5 + 15 - 4, "a quiet line is not heard for longer than the hang-over"
    detector.process(written(0.1), True)
    assert len(model.windows) == 5 + 15 + 1, "those that were skipped are heard after all"
    assert model.resets_at == [0]
    detector.process(written(*[0.0] * 40), True)
    heard = len(model.windows)
    detector.process(written(0.1), True)
    assert len(model.windows) == heard + 7, "of a longer hole the last ones"
    assert model.resets_at == [0, heard]


def test_a_live_sound_is_followed_although_the_gate_is_shut() -> None:
    sound = written(*[0.4] * 100)
    gate, model = WebRtcGate(), Written()
    opened = [gate.hears(sound[at : at + WINDOW]) for at in range(0, len(sound), WINDOW)]
    assert not any(opened[50:])
    detector = ear(model=model)
    assert kinds(detector.process(sound[:WINDOW], True)) == [Suspected]
    assert kinds(detector.process(sound[WINDOW:], False)) == [Dismissed]
    assert len(model.windows) == 100
    detector.process(silence(50 * WINDOW), False)
    assert len(model.windows) < 150, "the quiet after it is left to the gate again"


def test_a_hole_ends_a_run_of_voice() -> None:
    detector = ear()
    detector.process(written(0.25), True)
    detector.process(written(*[0.0] * 100), False)
    (edge,) = detector.process(written(0.0, 0.3), True)
    assert edge == Suspected(onset_ms=102 * 32, at_ms=103 * 32)


def test_a_hole_after_an_unclear_sound_does_not_move_the_next_onset_back() -> None:
    detector = ear()
    detector.process(written(0.25), True)
    skipped = detector.process(written(*[0.25] * 100), False)
    (edge,) = detector.process(written(0.3), True)
    assert skipped == []
    assert edge.onset_ms >= (101 - 7) * 32


def test_a_reset_forgets_the_sound_and_keeps_the_clock() -> None:
    model = Written()
    detector = ear(model=model)
    detector.process(written(*[0.9] * 5)[:-100], True)
    before_ms = detector.clock_ms
    detector.reset()
    assert model.resets_at == [0, 4]
    assert detector.clock_ms == before_ms == 153
    edges = detector.process(np.full(100 + 3 * WINDOW, 900, dtype=np.int16), True)
    assert kinds(edges) == [Suspected, Confirmed]
    assert before_ms <= edges[0].onset_ms <= 160
    assert edges[1].at_ms == 8 * 32


# --- evidence ---

SURE = replace(ONE, confirm_evidence=0.8)


def test_voice_that_the_model_is_sure_of_confirms_sooner_than_a_doubtful_one() -> None:
    assert edges_of(*[0.95] * 4, options=SURE)[-1] == Confirmed(0, 96)
    assert edges_of(*[0.8] * 8, options=SURE) == [Suspected(0, 32), Confirmed(0, 96)]
    doubtful = edges_of(*[0.77] * 20, options=SURE)
    assert kinds(doubtful) == [Suspected, Confirmed]
    assert doubtful[1].at_ms > 200
    assert kinds(edges_of(*[0.75] * 40, options=SURE)) == [Suspected]


def test_doubt_takes_evidence_away() -> None:
    assert Confirmed not in kinds(edges_of(*[0.95, 0.4] * 3, options=replace(SURE, confirm_evidence=3)))
    assert Confirmed in kinds(edges_of(*[0.95] * 3, options=replace(SURE, confirm_evidence=3)))


def test_one_window_is_never_enough_however_sure() -> None:
    assert kinds(edges_of(0.1, 1.0, 0.3, 0.3, options=SURE)) == [Suspected]


def test_a_higher_confirm_p_asks_for_more_evidence() -> None:
    strict = replace(SURE, confirm_p=0.9)
    assert Confirmed in kinds(edges_of(*[0.93] * 10, options=SURE))
    assert Confirmed not in kinds(edges_of(*[0.93] * 10, options=strict))
    assert Confirmed in kinds(edges_of(*[0.99] * 10, options=strict))


# --- staggered windows ---

FOUR = DetectorOptions(suspect_p=0.5, confirm_evidence=0)


class Counted(Written):
    """Notes what its forks hear too, as one list of windows."""

    def __init__(self, windows: list[Pcm] | None = None) -> None:
        super().__init__()
        self.windows = [] if windows is None else windows
        self.forks = 0

    def fork(self, before: Pcm) -> "Counted":
        self.forks += 1
        return Counted(self.windows)


@pytest.mark.parametrize(("streams", "at_ms"), [(1, 160), (2, 144), (4, 144)])
def test_a_window_ends_as_often_as_there_are_streams(streams: int, at_ms: int) -> None:
    # Voice from 112 ms on: a window of which 24 ms are voice ends at 136.
    sound = np.concatenate((written(*[0.1] * 3), np.full(256, 100), np.full(4 * WINDOW, 1_000))).astype(np.int16)
    options = replace(ONE, streams=streams, suspect_p=0.6, suspect_at_once_p=2, suspect_over_ms=8)
    first = ear(options).process(sound, True)[0]
    assert isinstance(first, Suspected)
    assert first.at_ms == {1: 160, 2: 144, 4: 136}[streams] <= at_ms


def test_a_suspicion_needs_the_mean_of_two_staggered_windows() -> None:
    blip = np.full(20 * WINDOW, 100, dtype=np.int16)
    blip[5 * WINDOW : 5 * WINDOW + 256] = 1_500
    options = replace(FOUR, suspect_at_once_p=2)
    assert ear(replace(options, suspect_p=0.9)).process(blip, True) == []
    assert kinds(ear(replace(options, suspect_p=0.7)).process(blip, True)) == [Suspected, Dismissed]


def test_one_plain_window_is_a_suspicion_at_once() -> None:
    options = replace(ONE, suspect_p=0.9, suspect_over_ms=64)
    assert edges_of(0.1, 0.7, options=options) == [Suspected(32, 64)]
    assert edges_of(0.1, 0.69, options=options) == []


def test_staggered_streams_hear_while_a_sound_is_in_doubt_and_not_after() -> None:
    model = Counted()
    detector = ear(FOUR, model)
    assert kinds(detector.process(written(*[0.9] * 5), True)) == [Suspected, Confirmed]
    assert model.forks == 3
    heard = len(model.windows)
    detector.process(written(*[0.9] * 10), True)
    assert len(model.windows) == heard + 10


def test_a_steady_noise_is_heard_by_one_stream_until_the_model_stirs() -> None:
    model = Counted()
    detector = ear(FOUR, model)
    detector.process(written(*[0.09] * 200), True)
    heard, forks = len(model.windows), model.forks
    detector.process(written(*[0.09] * 100), True)
    assert (len(model.windows), model.forks) == (heard + 100, forks)
    detector.process(written(*[0.11] * 2), True)
    assert model.forks == forks + 3


def test_a_quiet_line_is_not_heard_while_an_answer_sounds_either() -> None:
    model = Counted()
    detector = ear(FOUR, model)
    feed(detector, np.full(200 * WINDOW, 10, dtype=np.int16), AgentState.SPEAKING)
    heard = len(model.windows)
    feed(detector, np.full(200 * WINDOW, 10, dtype=np.int16), AgentState.SPEAKING)
    assert len(model.windows) == heard


def test_a_voice_on_a_quiet_line_is_judged_with_the_first_8_ms_of_it() -> None:
    model = Counted()
    detector = ear(FOUR, model)
    feed(detector, silence(200 * WINDOW), AgentState.SPEAKING)
    heard = len(model.windows)
    detector.process(np.full(128, 500, dtype=np.int16), True)
    assert len(model.windows) == heard + 7 + 1, "what the base stream missed, and the one with the voice"
    assert np.count_nonzero(model.windows[-1]) == 128


def test_each_state_is_judged_by_its_own_options() -> None:
    profiles = Profiles(replace(ONE, suspect_p=0.2), replace(ONE, suspect_p=0.4), replace(ONE, suspect_p=0.6))
    for state, least in ((AgentState.IDLE, 0.2), (AgentState.THINKING, 0.4), (AgentState.SPEAKING, 0.6)):
        assert kinds(Detector(profiles, Written()).process(written(0.1, least), state)) == [Suspected]
        assert Detector(profiles, Written()).process(written(0.1, least - 0.01), state) == []


def test_true_is_speaking_and_false_is_idle() -> None:
    profiles = Profiles(replace(ONE, suspect_p=0.2), ONE, replace(ONE, suspect_p=0.6))
    assert kinds(Detector(profiles, Written()).process(written(0.1, 0.5), False)) == [Suspected]
    assert Detector(profiles, Written()).process(written(0.1, 0.5), True) == []


def test_a_voice_is_followed_through_a_change_of_state() -> None:
    detector = ear()
    edges = detector.process(written(*[0.9] * 2), AgentState.SPEAKING)
    edges += detector.process(written(*[0.9] * 22), AgentState.THINKING)
    edges += detector.process(written(*[0.1] * 8), AgentState.IDLE)
    assert kinds(edges) == [Suspected, Confirmed, Sustained, Ended]
    assert_well_formed(edges, detector.clock_ms)
