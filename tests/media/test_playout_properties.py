"""The loudspeaker queue under random commands: against a naive model, and by ear."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, samples, silence
from media.speaking.playout import Cleared, Holder, Playout, PlayoutOptions, Started, Stopped
from media.speech import Word

FADE = samples(PlayoutOptions().fade_ms, VOICE_RATE_HZ)
BUFFERED_FRAMES = 3
LOUDEST = 9_000
WORD = 2_400
"""Samples of a word, in :func:`perform`."""

TICK = 1 / 64
"""Seconds between pulls: a binary fraction, so that 500 ms is a sum of ticks exactly."""

Pulled = tuple[Pcm | None, int]
"""A pulled frame, and how many milliseconds of the utterance were sent by then."""

Steps = list[tuple[str, int]]
"""Commands with their amount: samples to enqueue, frames to pull."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.integers(0, 60).map(lambda ms: 24 * ms)),
        st.tuples(st.just("pull"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["pause", "resume"]), st.just(0)),
    ),
    min_size=4,
    max_size=30,
)
SPEAK_TO_THE_END: Steps = [("finish", 0), ("resume", 0), ("pull", 100)]
CUT: Steps = [("flush", 0), ("pull", 3), ("resume", 0), ("pull", 3)]


def noise(count: int, seed: int) -> Pcm:
    """Sound of which no two stretches are alike."""
    return np.random.default_rng(seed).integers(-30_000, 30_000, count).astype(np.int16)


def tone(count: int) -> Pcm:
    """A smooth sound that begins and ends with silence."""
    swell = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / 500)
    return (LOUDEST * swell * np.sin(np.arange(count) / 20)).astype(np.int16)


def length(steps: Steps) -> int:
    """How many samples *steps* enqueue."""
    return sum(amount for kind, amount in steps if kind == "enqueue")


def perform(steps: Steps, source: Pcm, pause_s: float = 0.5) -> list[Pulled]:
    """Speak *source* in one utterance, a word every 100 ms, with pauses and a synthesizer that may be late."""
    playout, taken, sent_ms = Playout(), 0, 0
    pulled: list[Pulled] = []
    playout.begin(1, "item", "resp")
    playout.begin_clause(1, "word " * 80, 0, exact=True)
    playout.enqueue(1, silence(0), [Word(5 * i, 5 * i + 4, WORD * i) for i in range(80)])
    for kind, amount in steps:
        match kind:
            case "enqueue":
                assert playout.enqueue(1, source[taken : taken + amount])
                taken += amount
            case "pause":
                playout.pause(Holder.REFLEX, 0.0)
            case "resume":
                playout.resume(Holder.REFLEX, pause_s)
            case "finish":
                playout.finish(1)
            case "flush":
                playout.flush()
            case _:
                for _ in range(amount):
                    frame = playout.pull()
                    at = playout.playhead(1)
                    sent_ms = at.sent_ms if at else sent_ms
                    pulled.append((frame, sent_ms))
    return pulled


def frame_at(source: Pcm, position: int) -> Pcm:
    """The frame of *source* at *position*, filled up with silence."""
    frame = source[position : position + VOICE_FRAME]
    return np.concatenate((frame, silence(VOICE_FRAME - len(frame))))


def assert_sounds(frame: Pcm | None, expected: Pcm, *, fade_in: bool) -> None:
    """*frame* is *expected*, but for a fade at its beginning."""
    assert frame is not None
    faded = FADE if fade_in else 0
    assert np.array_equal(frame[faded:], expected[faded:])
    assert (np.abs(frame.astype(int)) <= np.abs(expected.astype(int))).all()


def assert_fades(frame: Pcm | None, source: Pcm, position: int) -> None:
    """*frame* dies away from what *source* holds at *position*, or from its last sample."""
    assert frame is not None
    assert not frame[FADE:].any()
    continuing = source[position : position + FADE] if position < len(source) else source[-1:]
    continuing = np.pad(continuing, (0, FADE - len(continuing)), mode="edge").astype(int)
    assert (np.abs(frame[:FADE].astype(int)) <= np.abs(continuing) * np.arange(FADE, 0, -1) / FADE).all()
    assert (frame[:FADE] * continuing >= 0).all()


@settings(deadline=None)
@given(STEPS)
def test_short_pauses_and_gaps_lose_nothing_and_repeat_only_what_was_faded(steps: Steps) -> None:
    source = noise(length(steps), seed=1)
    position, going_on = 0, False
    for frame, sent_ms in perform(steps + SPEAK_TO_THE_END, source):
        sent = samples(sent_ms, VOICE_RATE_HZ)
        if sent > position:
            assert_sounds(frame, frame_at(source, position), fade_in=position > 0 and not going_on)
        elif frame is not None:
            assert going_on
            assert not frame[FADE:].any()
        position, going_on = sent, sent > position
    assert position == len(source)


@settings(deadline=None)
@given(STEPS, st.sampled_from([SPEAK_TO_THE_END, CUT]), st.sampled_from([0.5, 0.8]))
def test_nothing_that_is_sent_ever_clicks(steps: Steps, ending: Steps, pause_s: float) -> None:
    source = tone(length(steps))
    performed = perform(steps + ending, source, pause_s)
    frames = [silence(VOICE_FRAME) if frame is None else frame for frame, _ in performed]
    sent = np.concatenate([silence(1), *frames]).astype(int)
    own_step = np.abs(np.diff(source.astype(int))).max(initial=0)
    assert np.abs(np.diff(sent)).max(initial=0) <= own_step + LOUDEST / FADE + 1


@settings(deadline=None)
@given(STEPS)
def test_a_long_pause_repeats_the_broken_word_from_its_start_and_loses_nothing(steps: Steps) -> None:
    source = noise(length(steps), seed=1)
    position = 0
    for frame, _ in perform(steps + SPEAK_TO_THE_END, source, 0.8):
        if frame is None or (position and not frame[FADE:].any()):
            continue
        going_on, again = position, position // WORD * WORD
        found = [at for at in (going_on, again) if np.array_equal(frame[FADE:], frame_at(source, at)[FADE:])]
        assert found, "a frame that neither goes on nor begins with the broken word"
        position = min(found[0] + VOICE_FRAME, len(source))
    assert len(source) - position <= FADE


@settings(deadline=None)
@given(STEPS)
def test_a_cut_leaves_at_most_one_fade(steps: Steps) -> None:
    (first, _), *rest = perform(steps + CUT, noise(length(steps), seed=1))[-6:]
    assert first is None or not first[FADE:].any()
    assert all(frame is None for frame, _ in rest)


@dataclass(slots=True, eq=False)
class Voice:
    """The naive model of an utterance: all of its sound, and how far it is."""

    generation: int
    sound: Pcm = field(default_factory=lambda: silence(0))
    word_starts: list[int] = field(default_factory=list)
    position: int = 0
    sent: int = 0
    heard: int = 0
    finished: bool = False

    @property
    def spent(self) -> bool:
        """All of it was sent."""
        return self.finished and self.position == len(self.sound)

    @property
    def heard_chars(self) -> int:
        """Five code points for each word that ends within what was heard, but for the last one's space."""
        ends = [*self.word_starts[1:], len(self.sound)] if self.word_starts else []
        complete = sum(end <= self.heard for end in ends) if self.heard else 0
        whole = self.finished and 0 < self.heard == len(self.sound)
        return 5 * complete if whole else max(5 * complete - 1, 0)

    def step_back(self) -> None:
        """To the start of the word at the position."""
        if self.position < len(self.sound):
            self.position = max(start for start in self.word_starts if start <= self.position)


class PlayoutAndModel(RuleBasedStateMachine):
    """A playout beside a model that keeps everything and looks everything up afresh."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = Playout()
        self.voices: list[Voice] = []
        self.newest = 0
        self.now = 0.0
        self.held_since: dict[Holder, float] = {}
        self.silent_since = 0.0
        self.going_on: Voice | None = None
        self.parting: tuple[Pcm, int] | None = None
        self.log: list[tuple[Voice, int] | None] = []
        self.ends: Counter[int] = Counter()

    def find(self, back: int) -> tuple[int, Voice | None]:
        """A recent generation, and its utterance if that is not over."""
        generation = max(self.newest - back, 0)
        return generation, next((it for it in self.voices if it.generation == generation), None)

    @rule(count=st.integers(0, 9_000), whole=st.booleans())
    def begin(self, count: int, whole: bool) -> None:
        """A new answer, with its first clause or all of it."""
        self.newest += 1
        assert self.playout.begin(self.newest, "item", "resp")
        assert not self.playout.begin(self.newest, "item", "resp")
        self.voices.append(Voice(self.newest))
        self.enqueue(0, count, 3)
        if whole:
            self.finish(0)

    @rule(back=st.integers(0, 3), count=st.integers(0, 4_000), words=st.integers(1, 4))
    def enqueue(self, back: int, count: int, words: int) -> None:
        """A clause of words of equal length, perhaps for an utterance that is over."""
        generation, voice = self.find(back)
        voice = voice or Voice(generation)
        start, spoken = len(voice.sound), len(voice.word_starts)
        pcm = noise(count, seed=generation * 1_000_000 + start)
        marks = [i * count // words for i in range(words)]
        self.playout.begin_clause(generation, "word " * words, 5 * spoken, exact=True)
        if not self.playout.enqueue(generation, pcm, [Word(5 * i, 5 * i + 4, at) for i, at in enumerate(marks)]):
            assert self.playout.queued_ms(generation) + 4_000 // 24 >= PlayoutOptions().max_queued_ms
            pcm = silence(0)
            marks = []
        self.playout.end_clause(generation)
        if not voice.finished:
            voice.sound = np.concatenate((voice.sound, pcm))
            voice.word_starts += [start + at for at in marks]

    @rule(back=st.integers(0, 3))
    def finish(self, back: int) -> None:
        """Nothing more comes."""
        generation, voice = self.find(back)
        self.playout.finish(generation)
        if voice:
            voice.finished = True
        self.expect_edges()

    @rule(holder=st.sampled_from([Holder.REFLEX, Holder.BUTTON]))
    def pause(self, holder: Holder) -> None:
        """Somebody holds the loudspeaker."""
        if not self.held_since:
            self.silent_since = self.now
        self.held_since.setdefault(holder, self.now)
        self.playout.pause(holder, self.now)

    @rule(holder=st.sampled_from([Holder.REFLEX, Holder.BUTTON]), after=st.sampled_from([0, 20, 40]))
    def resume(self, holder: Holder, after: int) -> None:
        """Somebody lets go."""
        self.now += after * TICK
        self.playout.resume(holder, self.now)
        held = self.held_since.pop(holder, None)
        head = self.head()
        if held is None or self.held_since or head is None or not head.sent or self.going_on is head:
            return
        if self.now - self.silent_since > 0.5:
            head.step_back()

    @rule(back=st.integers(0, 3), everything=st.booleans())
    def flush(self, back: int, everything: bool) -> None:
        """A cut."""
        generation = self.find(back)[0]
        cut = [it for it in self.voices if everything or it.generation == generation]
        if self.going_on in cut and self.going_on is self.head():
            self.parting = (self.going_on.sound, self.going_on.position)
            self.going_on = None
        self.voices = [it for it in self.voices if it not in cut]
        expected = tuple(
            Cleared(it.generation, "resp", "item", it.heard_chars, it.heard * 1000 // VOICE_RATE_HZ, it.sent > 0)
            for it in cut
        )
        assert self.playout.flush(None if everything else generation) == expected
        self.ends.update(it.generation for it in cut)
        assert not any(self.playout.begin(it.generation, "item", "resp") for it in cut)
        self.expect_edges()

    @rule(frames=st.integers(1, 12))
    def pull(self, frames: int) -> None:
        """Time passes."""
        for _ in range(frames):
            self.now += TICK
            self.expect(self.playout.pull())

    def head(self) -> Voice | None:
        """The utterance that sounds or would sound next."""
        return next((it for it in self.voices if not it.spent), None)

    def expect(self, frame: Pcm | None) -> None:
        """What a pull must have returned."""
        head, sent = self.head(), None
        going_on, self.going_on = self.going_on if self.going_on is head else None, None
        ahead = len(head.sound) - head.position if head else 0
        begun = []
        if self.parting:
            assert_fades(frame, *self.parting)
            self.parting = None
        elif head and not self.held_since and (ahead >= VOICE_FRAME or head.finished):
            assert_sounds(frame, frame_at(head.sound, head.position), fade_in=head.sent > 0 and not going_on)
            begun = [] if head.sent else [head.generation]
            head.position += min(ahead, VOICE_FRAME)
            head.sent = max(head.sent, head.position)
            self.going_on, sent = head, (head, head.position)
        elif head and going_on:
            assert_fades(frame, head.sound, head.position)
        else:
            assert frame is None
        self.log.append(sent)
        for entry in self.log[:-BUFFERED_FRAMES]:
            if entry:
                entry[0].heard = max(entry[0].heard, entry[1])
        self.expect_edges(begun)

    def expect_edges(self, begun: list[int] | None = None) -> None:
        """Who started and who stopped, in order."""
        stopped = []
        for voice in list(self.voices):
            if not voice.spent or any(entry and entry[0] is voice for entry in self.log[-BUFFERED_FRAMES:]):
                break
            self.voices.remove(voice)
            stopped.append((voice.generation, voice.heard * 1000 // VOICE_RATE_HZ, voice.heard_chars))
        edges = self.playout.drain()
        assert [it.generation for it in edges if isinstance(it, Started)] == (begun or [])
        assert [(it.generation, it.heard_ms, it.heard_chars) for it in edges if isinstance(it, Stopped)] == stopped
        self.ends.update(generation for generation, _, _ in stopped)

    @invariant()
    def agree(self) -> None:
        """Playheads are the model's, and heard ≤ sent ≤ produced."""
        for voice in self.voices:
            at = self.playout.playhead(voice.generation)
            assert at is not None
            assert (at.heard_ms, at.sent_ms) == (voice.heard * 1000 // 24_000, voice.sent * 1000 // 24_000)
            assert at.heard_chars == voice.heard_chars
            assert voice.heard <= voice.sent <= len(voice.sound)
            assert at.started == (voice.sent > 0)
        assert self.playout.paused == set(self.held_since)

    def teardown(self) -> None:
        """Each utterance ends exactly once."""
        for holder in Holder:
            self.playout.resume(holder, self.now)
        for voice in self.voices:
            self.playout.finish(voice.generation)
        for _ in range(sum(len(it.sound) // VOICE_FRAME + 5 for it in self.voices) + 1):
            self.playout.pull()
        self.ends.update(it.generation for it in self.playout.drain() if isinstance(it, Stopped))
        assert self.ends == Counter(range(1, self.newest + 1))


TestPlayoutAndModel = PlayoutAndModel.TestCase
TestPlayoutAndModel.settings = settings(max_examples=100, stateful_step_count=40)
