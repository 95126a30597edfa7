"""The loudspeaker queue of one voice leg: what sounds, what was heard of it, and silence within a frame.

Whoever paces the leg calls :meth:`Playout.pull` every 20 ms and gets 480 samples, or None for silence. Nothing
here reads a clock: playing time is counted in pulled frames, pauses are measured with the caller's ``now``
(seconds, monotonic).

One *utterance* per answer, in the order of :meth:`Playout.begin`, known by the answer's generation. Each ends in
exactly one of :class:`Stopped` (it was played) or :class:`Cleared` (it was cut). What arrives for a generation
that is not, or no longer, here is dropped, so it does not matter how late a synthesizer learns of a cut.

Sound never breaks off: when it must stop, the next frame is a fade of the signal that would have followed. Those
samples do not count as played; sound that goes on begins with them again, faded in.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Final, TypeAlias, assert_never

import numpy as np

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, milliseconds, samples, silence
from media.speaking import leaving
from media.speaking.captions import Captions
from media.speaking.device import Device, Listener
from media.speaking.leaving import Left as Left
from media.speaking.options import PlayoutOptions as PlayoutOptions
from media.speaking.utterance import Playhead, Utterance, faded_in, padded
from media.speaking.wordmap import WordMap
from media.speech import Word


class Holder(Enum):
    """Who can hold the loudspeaker silent. Sound goes on when nobody does."""

    REFLEX = "reflex"
    BUTTON = "button"
    FLOOR = "floor"
    APPROVAL = "approval"


class _State(Enum):
    """What the last frame left behind."""

    SILENT = "silent"
    """Nothing: no utterance, or none of the first one's sound was sent."""

    SOUNDING = "sounding"
    """The middle of a signal, which must go on or fade in the next frame."""

    HELD = "held"
    """Silence in mid-utterance: paused, or waiting for a synthesizer slower than speech."""

    CUT = "cut"
    """The middle of a signal that was cut since: its fade is still to be sent."""


class _Send(Enum):
    """What a pull returns."""

    SILENCE = "silence"
    SOUND = "sound"
    FADE_IN = "fade in"
    FADE_OUT = "fade out"
    PARTING = "parting"
    """The fade of what was cut."""


_ON_PULL: Final = {
    (_State.SILENT, True): (_Send.SOUND, _State.SOUNDING),
    (_State.SILENT, False): (_Send.SILENCE, _State.SILENT),
    (_State.SOUNDING, True): (_Send.SOUND, _State.SOUNDING),
    (_State.SOUNDING, False): (_Send.FADE_OUT, _State.HELD),
    (_State.HELD, True): (_Send.FADE_IN, _State.SOUNDING),
    (_State.HELD, False): (_Send.SILENCE, _State.HELD),
    (_State.CUT, True): (_Send.PARTING, _State.SILENT),
    (_State.CUT, False): (_Send.PARTING, _State.SILENT),
}
"""A frame is pulled, and there is sound that may be sent, or not."""

_ON_FLUSH: Final = {
    _State.SILENT: _State.SILENT,
    _State.SOUNDING: _State.CUT,
    _State.HELD: _State.SILENT,
    _State.CUT: _State.CUT,
}
"""The utterance at the head is cut."""

_ON_END: Final = {
    _State.SILENT: _State.SILENT,
    _State.SOUNDING: _State.SILENT,
    _State.HELD: _State.SILENT,
    _State.CUT: _State.CUT,
}
"""All of the utterance at the head was sent."""


_REMEMBERED: Final = 8
"""Utterances that are over and whose words are kept: a device says how far it played one after it was cut."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first sample of an utterance was pulled."""

    generation: int
    response_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """An utterance was played to its end, on the listener's device too."""

    generation: int
    response_id: str
    item_id: str
    heard_chars: int
    heard_ms: int
    whole: bool = True
    """False when its synthesizer failed, so that what follows ``heard_chars`` was never spoken."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """An utterance was cut. ``heard_chars`` is the offset in the item's text after the last word heard whole."""

    generation: int
    response_id: str
    item_id: str
    heard_chars: int
    heard_ms: int
    started: bool


Edge: TypeAlias = Started | Stopped | Left


class Playout:
    """A loudspeaker: utterances queue in it, and it can be paused and cut. Not safe for use by several threads.

    Arrays given to it belong to it, arrays it returns are for reading only.
    """

    def __init__(self, options: PlayoutOptions | None = None) -> None:
        self._options = options or PlayoutOptions()
        self._listener = Listener(self._options.client_buffer_ms)
        fade = samples(self._options.fade_ms, VOICE_RATE_HZ)
        self._fade_in = np.arange(1, fade + 1) / (fade + 1)
        self._queue: deque[Utterance] = deque()
        self._draining: deque[Utterance] = deque()
        self._over: deque[Utterance] = deque(maxlen=_REMEMBERED)
        self.device = Device(
            self._listener,
            lambda: chain(self._queue, self._draining, reversed(self._over)),
            self._options.client_buffer_ms,
        )
        self._state = _State.SILENT
        self._parting = silence(0)
        self._holders: set[Holder] = set()
        self._held_since = 0.0
        self._flushed = -1
        self._edges: list[Edge] = []

    def begin(
        self,
        generation: int,
        item_id: str,
        response_id: str,
        text_base: int = 0,
        base_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> bool:
        """Queue a new utterance, which continues the item's text at *text_base*, where *base_ms* of it were heard.

        With *own_sound* its text comes by :meth:`caption`, else by clauses. False when it will not sound: its
        generation is here already, or not above the highest one flushed.
        """
        if generation <= self._flushed or self._find(generation):
            return False
        words = Captions(text_base) if own_sound else WordMap(text_base)
        self._queue.append(Utterance(generation, response_id, item_id, words, base_ms))
        return True

    def caption(self, generation: int, text: str) -> None:
        """More text of an utterance that has its own sound."""
        utterance = self._find(generation)
        if utterance and not utterance.finished and isinstance(utterance.words, Captions):
            utterance.words.add_text(text)

    def begin_clause(self, generation: int, text: str, text_start: int, *, exact: bool) -> None:
        """What is enqueued next speaks *text*, which stands at *text_start* of the item's text.

        *exact* when its word positions will be given; otherwise they are guessed by length. Ends an open clause.
        """
        utterance = self._find(generation)
        if utterance and not utterance.finished and isinstance(utterance.words, WordMap):
            utterance.words.begin_clause(text, text_start, utterance.tape.end, exact=exact)

    def enqueue(self, generation: int, pcm: Pcm, words: Iterable[Word] = ()) -> bool:
        """Queue a piece of the open clause, and words of it that begin in this piece or later.

        False when the queue is full: nothing was taken, offer it again later. A piece longer than the whole queue
        is taken when nothing else waits. What belongs to no utterance is taken and dropped. Sound outside a
        clause (a chime) has no text.
        """
        utterance = self._find(generation)
        if utterance is None or utterance.finished:
            return True
        queued = utterance.tape.ahead
        if queued and queued + len(pcm) > samples(self._options.max_queued_ms, VOICE_RATE_HZ):
            return False
        utterance.tape.append(pcm)
        utterance.words.sound(pcm)
        if isinstance(utterance.words, WordMap):
            utterance.words.add(words)
        return True

    def end_clause(self, generation: int) -> None:
        """The open clause is complete."""
        utterance = self._find(generation)
        if utterance and not utterance.finished and isinstance(utterance.words, WordMap):
            utterance.words.end_clause(utterance.tape.end)

    def finish(self, generation: int) -> None:
        """Nothing more comes for this utterance. It stops when it was played."""
        utterance = self._find(generation)
        if utterance and not utterance.finished:
            utterance.words.finish(utterance.tape.end)
            utterance.finished = True
            self._retire()

    def break_off(self, generation: int) -> None:
        """Its sound breaks off here, and is the last: whoever makes it has failed."""
        utterance = self._find(generation)
        if utterance and not utterance.finished:
            utterance.words.break_off(utterance.tape.end)
            utterance.broken = True

    def queued_ms(self, generation: int) -> int:
        """How much of an utterance waits to be sent; 0 when it is not here."""
        utterance = self._find(generation)
        return milliseconds(utterance.tape.ahead, VOICE_RATE_HZ) if utterance else 0

    def pull(self) -> Pcm | None:
        """The next 480 samples; None for silence. To be called every 20 ms, also while nothing sounds."""
        frame = self.send()
        self.tick()
        return frame

    def send(self) -> Pcm | None:
        """As :meth:`pull`, for a device that buffers: it plays the frame after those before, and no time passes."""
        ready = bool(self._queue) and self._queue[0].ready
        send, self._state = _ON_PULL[self._state, not self._holders and ready]
        frame = self._frame(send)
        self._retire()
        return frame

    def tick(self) -> None:
        """20 ms have passed at the listener's."""
        self._listener.tick()
        self._retire()
        self._let_go()

    def pause(self, holder: Holder, now: float) -> None:
        """Fall silent with the next frame, until every holder has resumed. Twice by the same holder is once.

        Outlasts utterances: what begins while somebody holds waits.
        """
        if not self._holders:
            self._held_since = now
        self._holders.add(holder)
        self._let_go()

    def resume(self, holder: Holder, now: float) -> None:
        """*holder* lets go. If nobody holds any more, sound goes on where it was paused.

        After a long pause it goes on at the start of the word that was broken. Harmless for who does not hold.
        """
        if holder not in self._holders:
            return
        self._holders.remove(holder)
        paused_ms = (now - self._held_since) * 1000
        if not self._holders and self._state is _State.HELD and paused_ms > self._options.resume_in_place_ms:
            broken = self._queue[0]
            broken.tape.rewind(broken.words.word_start(broken.tape.position))

    def flush(self, generation: int | None = None) -> tuple[Cleared, ...]:
        """Cut every utterance, or that of *generation*; what was sounding fades in the next frame.

        Nothing at or below a flushed generation can begin afterwards. Pauses stay as they are.
        """
        cut = [it for it in chain(self._draining, self._queue) if generation in (None, it.generation)]
        generations = {it.generation for it in cut}
        self._flushed = max(self._flushed, *generations, -1 if generation is None else generation)
        self._edges = [it for it in self._edges if it.generation not in generations]
        self._remove(cut)
        return tuple(_cleared(it.playhead(self._listener.now, held=False)) for it in cut)

    def _remove(self, cut: list[Utterance]) -> None:
        if self._queue and self._queue[0] in cut:
            if self._state is _State.SOUNDING:
                self._parting = self._queue[0].tape.dying(self._fade_in[::-1])
            self._state = _ON_FLUSH[self._state]
        self._draining = deque(it for it in self._draining if it not in cut)
        self._queue = deque(it for it in self._queue if it not in cut)
        self._retire()
        self._over.extend(cut)
        for it in cut:
            it.forget_sound()

    def leave(self, generation: int, finish_ms: int, *, recalled: bool) -> None:
        """Give an utterance away, at once or when the word that ends within *finish_ms* was said; :class:`Left` tells.

        *recalled*: the device drops what it was sent ahead. Any other plays that, so that it counts as heard. An
        utterance that was sent whole stops here by itself; one that is not here is given away unheard.
        """
        utterance = self._find(generation)
        if utterance is None:
            self._edges.append(leaving.nothing(generation))
        elif utterance in self._queue and utterance.leaves_at is None:
            utterance.recalled = recalled
            at = leaving.said(utterance, self._listener) if recalled else utterance.sent
            utterance.leaves_at = leaving.word_end(utterance, at, 0 if self._holders else finish_ms)
            self._let_go()

    def _let_go(self) -> None:
        """Give away what has come to its word's end, or does not come any further."""
        for it in [it for it in self._queue if it.leaves_at is not None]:
            said = leaving.said(it, self._listener)
            stuck = bool(self._holders) or (self._state is _State.HELD and said >= it.sent)
            if stuck or said >= (it.leaves_at or 0):
                self._edges.append(leaving.left(it, said))
                self._remove([it])

    def drain(self) -> list[Edge]:
        """What happened since the last call, in order. To be called after each :meth:`pull`."""
        edges, self._edges = self._edges, []
        return edges

    def playhead(self, generation: int) -> Playhead | None:
        """How far an utterance is; None before it began and after it stopped or was cleared."""
        utterance = self._find(generation)
        return utterance.playhead(self._listener.now, held=bool(self._holders)) if utterance else None

    @property
    def sounding(self) -> bool:
        """Something is to be heard at the listener's, or is paused in mid-utterance."""
        return self._listener.audible or (bool(self._holders) and self._state is _State.HELD)

    @property
    def paused(self) -> frozenset[Holder]:
        """Who holds the loudspeaker."""
        return frozenset(self._holders)

    def _find(self, generation: int) -> Utterance | None:
        return next((it for it in chain(self._queue, self._draining) if it.generation == generation), None)

    def _frame(self, send: _Send) -> Pcm | None:
        match send:
            case _Send.SILENCE:
                return None
            case _Send.SOUND | _Send.FADE_IN:
                head = self._queue[0]
                if not head.started:
                    self._edges.append(Started(head.generation, head.response_id, head.item_id))
                pcm = head.next_frame()
                self._listener.send(head, len(pcm))
                return padded(faded_in(pcm, self._fade_in) if send is _Send.FADE_IN else pcm)
            case _Send.FADE_OUT:
                self._listener.send(self._queue[0], VOICE_FRAME, still=True)
                return self._queue[0].tape.dying(self._fade_in[::-1])
            case _Send.PARTING:
                self._listener.send(None, VOICE_FRAME)
                return self._parting
            case _:
                assert_never(send)

    def _retire(self) -> None:
        while self._queue and self._queue[0].spent:
            self._draining.append(self._queue.popleft())
            self._state = _ON_END[self._state]
        while self._draining and not self._draining[0].in_flight(self._listener.now):
            over = self._draining.popleft()
            end = over.playhead(self._listener.now, held=False)
            over.forget_sound()
            self._over.append(over)
            whole = not over.broken
            self._edges.append(
                Stopped(end.generation, end.response_id, end.item_id, end.heard_chars, end.heard_ms, whole)
            )


def _cleared(at: Playhead) -> Cleared:
    return Cleared(at.generation, at.response_id, at.item_id, at.heard_chars, at.heard_ms, at.started)
