"""The defence: finds out whether a loudspeaker is heard by a microphone, and takes it out if it is.

Until an echo is found the sound passes untouched and nearly free: only while something loud was sent and the
microphone is not quiet are the two compared. The one exception is the first answer of a call. Nothing is known then,
so the first sound over it is not judged before it could be compared (a fifth of a second at most). Once the
microphone stayed quiet under the first part of an answer there is no echo to fear, and nothing waits.
"""

from collections import deque
from typing import Final

import numpy as np

from media.echo import Heard
from media.echo.canceller import Canceller, KalmanCanceller
from media.echo.delay import STRETCH, DelayFinder, correlate
from media.echo.reference import BLOCK, MAX_DELAY, Reference, Sound, to_float
from media.echo.suppressor import BandSuppressor, Suppressor
from media.frames import Pcm, silence

_MAX_COUPLING: Final = 2.0
"""+3 dB. No loudspeaker in a call comes back louder, and sound over a silent reference is no echo."""

_NO_SOUND: Final = silence(0)


def _to_pcm(sound: Sound) -> Pcm:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


class _Compared:
    """The microphone's last quarter of a second, and what it may be an echo of."""

    def __init__(self, reference: Reference) -> None:
        self._reference: Final = reference
        self._blocks: Final[deque[Sound]] = deque(maxlen=STRETCH // BLOCK)
        self._end = 0
        self._finder: Final = DelayFinder()

    def append(self, block: Sound, end: int) -> None:
        """The next block, which ends at *end*; after a hole what came before is forgotten."""
        if end != self._end + BLOCK:
            self.forget()
        self._blocks.append(block)
        self._end = end

    def forget(self) -> None:
        """What came so far is explained."""
        self._blocks.clear()
        self._finder.forget()

    def delay(self) -> int | None:
        """Where in the reference this was, if it was there."""
        sound = np.concatenate(self._blocks)
        match = correlate(sound, self._reference.until(self._end, MAX_DELAY + len(sound)))
        # What is much louder than what was sent is no echo of it.
        return self._finder.offer(match) if self.coupling(match.lag) < _MAX_COUPLING else None

    def coupling(self, delay: int) -> float:
        """The echo's power over the reference's, if this is an echo."""
        sound = np.concatenate(self._blocks)
        sent = self._reference.until(self._end - delay, len(sound))
        return max(float(sound @ sound) / (float(sent @ sent) + 1e-9), 1e-4)

    def blocks(self) -> list[tuple[Sound, int]]:
        """What is held, in blocks with their ends."""
        first = self._end - (len(self._blocks) - 1) * BLOCK
        return [(block, first + index * BLOCK) for index, block in enumerate(self._blocks)]


class EchoGuard:
    """Implements :class:`media.echo.Defence`."""

    QUIET_BLOCKS: Final = 26
    """After so much quiet under loud reference there is no echo: the longest delay."""

    WAIT_BLOCKS: Final = 10
    """The longest time that the first sound over a call's first answer is not judged."""

    LOOK_EVERY: Final = 2
    """Blocks from one comparison to the next."""

    LOOK_SELDOM: Final = 10
    """The same after the first sound was compared in vain."""

    MARGIN: Final = 960
    """Samples, 60 ms, by which the microphone is taken to be late: so much may be sent early, or a packet come early,
    and the echo still lies behind what was sent. Silence that is sent earlier than that has not begun: the client
    still plays what it was sent at once."""

    HOLE: Final = 8_000
    """Samples, 0.5 s: a microphone farther away from the reference has missed something, or its client has. Quiet
    packets may come 0.3 s late (:mod:`media.rtp.doze`)."""

    STRANGE: Final = 0.25
    """A share of the microphone's power that no echo explains, and that makes us look for it elsewhere."""

    CENTRE_EVERY: Final = 50
    """Blocks from one look at the filter to the next: a clock that is 100 ppm off moves by 1.6 samples a second."""

    LEAD: Final = 48
    """Samples from the beginning of the canceller's filter to the direct sound: 3 ms for a drifting clock."""

    def __init__(self, canceller: Canceller | None = None, suppressor: Suppressor | None = None) -> None:
        self._canceller: Final = canceller or KalmanCanceller()
        self._suppressor: Final = suppressor or BandSuppressor()
        self._reference: Final = Reference()
        self._compared: Final = _Compared(self._reference)
        self._end = -2 * self.HOLE
        """Where the microphone stands on the reference's clock."""

        self._delay: int | None = None
        """How far the canceller's filter begins behind the reference; None while no echo was found."""

        self._rest = _NO_SOUND
        self._given = 0
        """Samples of the rest that were handed out before an echo was found."""

        self._floor = 0.0
        self._quiet = 0
        self._loud = 0
        self._blocks = 0

    @property
    def coupled(self) -> bool:
        """Whether this microphone hears its loudspeaker."""
        return self._delay is not None

    def reference(self, frame: Pcm | None) -> None:
        """See :class:`Defence`. Sound may be sent ahead of its time."""
        if frame is not None or self._reference.end <= self._end:
            self._reference.push(frame)

    def hear(self, pcm: Pcm) -> Heard:
        """See :class:`Defence`. Gives the very array it took while there is no echo."""
        self._anchor()
        if self._delay is not None:
            return self._clean(pcm)
        if not self._reference.echoes(self._end):
            self._end += len(pcm)
            self._rest = _NO_SOUND
            return Heard(pcm, pcm)
        unclear = False
        for block, end in self._cut(pcm):
            unclear = self._study(block, end) or unclear
        self._given = len(self._rest)
        return Heard(silence(len(pcm)) if unclear else pcm, pcm)

    def _anchor(self) -> None:
        """Place the microphone on the reference's clock by arrival, at first and after a hole in its sound."""
        now = self._reference.end + self.MARGIN
        if abs(now - self._end) > self.HOLE:
            self._end = now
            self._rest = _NO_SOUND

    def _cut(self, pcm: Pcm) -> list[tuple[Sound, int]]:
        """Whole blocks, with their ends on the reference's clock."""
        sound = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        begin = self._end - len(self._rest)
        whole = len(sound) - len(sound) % BLOCK
        self._rest = sound[whole:]
        self._end += len(pcm)
        floats = to_float(sound[:whole])
        return [(floats[at : at + BLOCK], begin + at + BLOCK) for at in range(0, whole, BLOCK)]

    # --- no echo was found so far ---

    def _study(self, block: Sound, end: int) -> bool:
        """Compare, when there is something to compare. True while it is unclear what this is."""
        if self._delay is not None:
            return True  # found a block ago
        self._compared.append(block, end)
        if not self._stands_out(block):
            self._quiet += 1
            return False
        self._loud += 1
        unclear = self._quiet < self.QUIET_BLOCKS and self._loud <= self.WAIT_BLOCKS
        every = self.LOOK_EVERY if self._loud <= self.WAIT_BLOCKS else self.LOOK_SELDOM
        if self._loud % every == 0:
            delay = self._compared.delay()
            if delay is not None:
                self._learn(delay)
                return True
        return unclear

    def _stands_out(self, block: Sound) -> bool:
        power = float(block @ block) + 1e-9
        self._floor = min(self._floor * 1.01, power) if self._floor else power
        return power > 4 * self._floor

    def _learn(self, delay: int) -> None:
        """An echo was found: begin to take it out."""
        coupling = self._compared.coupling(delay)
        self._delay = max(0, delay - self.LEAD)
        self._canceller.start(coupling)
        self._suppressor.start(coupling)
        for block, end in self._compared.blocks():
            sent = self._reference.until(end - self._delay, BLOCK)
            self._canceller.refer(sent)
            self._suppressor.refer(sent)
            self._suppressor.subdue(self._canceller.cancel(block))
        self._compared.forget()

    # --- an echo was found ---

    def _clean(self, pcm: Pcm) -> Heard:
        judged, words = [_NO_SOUND], [_NO_SOUND]
        for block, end in self._cut(pcm):
            if self._reference.echoes(end):
                left = self._cancel(block, end)
                told = self._suppressor.subdue(left)
                self._watch(left, end)
            else:
                left, told = block, self._suppressor.pass_on(block)
            words.append(_to_pcm(left))
            judged.append(_to_pcm(told))
        given, self._given = self._given, 0
        return Heard(np.concatenate(judged)[given:], np.concatenate(words)[given:])

    def _cancel(self, block: Sound, end: int) -> Sound:
        assert self._delay is not None
        sent = self._reference.until(end - self._delay, BLOCK)
        self._canceller.refer(sent)
        self._suppressor.refer(sent)
        return self._canceller.cancel(block)

    def _watch(self, left: Sound, end: int) -> None:
        """Look for the echo elsewhere when much is left that it does not explain where it was."""
        self._blocks += 1
        if self._blocks % self.CENTRE_EVERY == 0:
            self._centre(end)
        self._compared.append(left, end)
        if not self._stands_out(left) or self._suppressor.unexplained < self.STRANGE:
            return
        self._loud += 1
        if self._loud % self.LOOK_EVERY == 0:
            delay = self._compared.delay()
            if delay is not None and not self._known(delay):
                self._learn(delay)

    def _known(self, delay: int) -> bool:
        """Whether this is the echo that the filter knows."""
        assert self._delay is not None
        direct = self._canceller.direct()
        return abs(delay - self._delay - (self.LEAD if direct is None else direct)) <= 2 * self.LEAD

    def _centre(self, end: int) -> None:
        """Keep the direct sound near the filter's beginning: clocks drift, and a client's buffer grows."""
        direct = self._canceller.direct()
        if direct is None or self.LEAD // 3 <= direct <= 3 * self.LEAD:
            return
        assert self._delay is not None
        moved = max(direct - self.LEAD, -self._delay)
        self._delay += moved
        sent = self._reference.until(end - self._delay, self._canceller.length + BLOCK)
        self._canceller.shift(moved, sent)
