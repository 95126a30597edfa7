"""The packets of a call become sound as they arrive.

There is no jitter buffer. A detector gains 80 to 300 ms by hearing each packet at once, in order, with short gaps
filled; whoever plays the sound to a person has a jitter buffer of its own, and who writes down the words may listen
a little later, when what was filled has been repaired.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from media.codecs.codec import CodecError, Decoder
from media.frames import PTIME_MS, Pcm, samples, silence

RTP_RATE_HZ: Final = 48_000
"""The RTP clock of Opus, whatever rate is coded (RFC 7587, 4.1)."""

RTP_FRAME: Final = RTP_RATE_HZ * PTIME_MS // 1000
"""RTP time of one tick: 960."""

MAX_CONCEALED_MS: Final = 60
"""What is made up for packets that are missing, or one packet if it is longer: concealment fades in that time."""

REPAIR_MS: Final = 120
"""How far back a repair reaches, at most: a packet of 20 ms may come 100 ms late."""

PAUSE_S: Final = 0.2
"""Without a packet for so long a stream is taken to pause; what comes later than that was not only delayed."""

SKIPPED_MS: Final = 100
"""What packets that nobody needs become, in one piece."""

MAX_MISORDER: Final = 100
"""Packets older than this are no longer of the same count (RFC 3550, A.1)."""

MAX_PACKETS_PER_S: Final = 200
"""Four times what a browser sends; what is above is a flood and is not decoded."""

_PAUSE_TICKS: Final = round(PAUSE_S * 1000 / PTIME_MS)
_HALF_16: Final = 1 << 15
_MASK_16: Final = (1 << 16) - 1
_HALF_32: Final = 1 << 31
_MASK_32: Final = (1 << 32) - 1


@dataclass(slots=True)
class Counts:
    """What became of the packets of a call; see :class:`media.peer.peering.PeerStats`."""

    received: int = 0
    late: int = 0
    repaired: int = 0
    concealed: int = 0
    dozed: int = 0
    undecodable: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Place:
    """Where one packet stands in the stream, remembered while one that is missing may still come."""

    sequence: int
    start: int
    """RTP time at 48 kHz."""

    samples: int
    payload: bytes | None
    """None while it is missing."""

    before: object = None
    """The decoder's state in front of it, for a missing one."""


class Inbound:
    """One RTP stream on its way to PCM, packet by packet, never back in time.

    *deliver* gets (pcm, RTP time of its first sample, arrival) for every packet that is newer than all before it, and
    before it for each packet of a gap of at most :data:`MAX_CONCEALED_MS`. The times count 48 kHz modulo 2**32 whatever
    the codec's clock; where the sender's own step back, they go on from where they were.

    A missing packet is made up from what the next one repeats of it, else by concealment. If it comes after all,
    at most :data:`REPAIR_MS` behind, the decoder is set back, hears it and what followed once more, and *repair* gets
    what should have been heard: as many samples, in place of the last that were delivered.

    With *fill_pauses* sound lasts as long as the stream does: where its time jumps (DTX, a muted microphone) silence is
    delivered, and while nothing comes at all :meth:`idle` delivers some.
    """

    def __init__(
        self,
        decoder: Decoder,
        deliver: Callable[[Pcm, int, float], None],
        repair: Callable[[Pcm], None] = lambda _: None,
        *,
        rtp_rate_hz: int = RTP_RATE_HZ,
        fill_pauses: bool = False,
    ) -> None:
        self.counts: Final = Counts()
        self._decoder = decoder
        self._deliver = deliver
        self._repair = repair
        self._fill_pauses = fill_pauses
        self._clock_ratio = RTP_RATE_HZ // rtp_rate_hz
        self._sample_ratio = RTP_RATE_HZ // decoder.rate_hz
        self._window = 0.0
        self._admitted = 0
        self.restart()

    def restart(self) -> None:
        """A new source follows: its sequence numbers and times have nothing to do with those before."""
        self._newest: int | None = None
        self._strange: int | None = None
        """The number after one that was far too old."""

        self._due: int | None = None
        """RTP time after the newest packet."""

        self._shift = 0
        """What the sender's times lack for never having stepped back."""

        self._span = 0
        """Samples of the newest packet."""

        self._skipped = 0
        """Samples of packets that were skipped and not delivered so far."""

        self._heard_at = 0.0
        self._ticks = 0
        """Calls of :meth:`idle` since the newest packet, and"""
        self._idled = 0
        """samples of silence it delivered."""

        self._places: list[_Place] = []
        """From the first missing packet that may still come to the newest one; empty on a line without losses."""

    def receive(self, sequence: int, rtp_time: int, payload: bytes, arrival: float) -> None:
        """Take one packet. An empty payload is padding and counts only as a number that is not missing."""
        if not self._admit(arrival):
            self.counts.refused += 1
            return
        self.counts.received += 1
        if self._skipped:
            self._tell_skipped(arrival)
        start = (rtp_time * self._clock_ratio + self._shift) & _MASK_32
        ahead = 1 if self._newest is None else (sequence - self._newest) & _MASK_16
        if not 0 < ahead < _HALF_16:
            if not self._begins_anew(sequence, ahead):
                self._take_late(sequence, start, payload)
                return
            ahead = 1
        if payload:
            self._take(sequence, ahead - 1, self._forward(start), payload, arrival)
        else:
            self._newest = sequence

    def skip(self, sequence: int, rtp_time: int, length: int, arrival: float) -> None:
        """Take the packet after the newest one as silence: *length* is how far its time is from that of the next.

        It is delivered with others, :data:`SKIPPED_MS` in one piece.
        """
        self.counts.received += 1
        self.counts.dozed += 1
        self._newest, self._strange = sequence, None
        self._ticks = self._idled = 0
        self._places.clear()
        start = self._forward((rtp_time * self._clock_ratio + self._shift) & _MASK_32)
        self._due = (start + length * self._clock_ratio) & _MASK_32
        self._heard_at = arrival
        self._skipped += length * self._clock_ratio // self._sample_ratio
        if self._skipped >= samples(SKIPPED_MS, self._decoder.rate_hz):
            self._tell_skipped(arrival)

    def _tell_skipped(self, arrival: float) -> None:
        assert self._due is not None, "what was skipped follows something"
        start = (self._due - self._skipped * self._sample_ratio) & _MASK_32
        pcm, self._skipped = silence(self._skipped), 0
        self._deliver(pcm, start, arrival)

    def idle(self, now: float) -> None:
        """To be called every 20 ms: where pauses are filled, 20 ms of silence when nothing has come for a while.

        The calls count, and not the clock: a process that stood still has not read what came meanwhile.
        """
        self._ticks += 1
        if not self._fill_pauses or self._due is None or self._ticks <= _PAUSE_TICKS:
            return
        self._places.clear()
        frame = samples(PTIME_MS, self._decoder.rate_hz)
        start = (self._due + self._idled * self._sample_ratio) & _MASK_32
        self._idled += frame
        self._deliver(silence(frame), start, now)

    def _admit(self, arrival: float) -> bool:
        if arrival - self._window >= 1.0:
            self._window, self._admitted = arrival, 0
        self._admitted += 1
        return self._admitted <= MAX_PACKETS_PER_S

    def _begins_anew(self, sequence: int, ahead: int) -> bool:
        """Two packets in a row that are far too old: the sender began to count anew (RFC 3550, A.1)."""
        if -ahead & _MASK_16 <= MAX_MISORDER:
            return False
        anew = sequence == self._strange
        self._strange = None if anew else (sequence + 1) & _MASK_16
        return anew

    def _forward(self, start: int) -> int:
        """*start*, or what was due if it lies before that."""
        if self._due is None or (start - self._due) & _MASK_32 < _HALF_32:
            return start
        self._shift = (self._shift + self._due - start) & _MASK_32
        return self._due

    def _take(self, sequence: int, missing: int, start: int, payload: bytes, arrival: float) -> None:
        try:
            if self._due is not None and start != self._due:
                self._bridge(sequence, missing, start, payload, arrival)
            pcm = self._decoder.decode(payload)
        except CodecError:
            self.counts.undecodable += 1
            return
        self._newest, self._strange, self._heard_at = sequence, None, arrival
        self._ticks = self._idled = 0
        self._give(pcm, start, arrival)
        if self._places:
            self._places.append(_Place(sequence, start, len(pcm), payload))
            self._forget_old()

    def _give(self, pcm: Pcm, start: int, arrival: float) -> None:
        self._span = len(pcm)
        self._due = (start + len(pcm) * self._sample_ratio) & _MASK_32
        self._deliver(pcm, start, arrival)

    def _bridge(self, sequence: int, missing: int, start: int, payload: bytes, arrival: float) -> None:
        """Fill the time between the newest packet and this one: with what is lost, and with the pause."""
        assert self._due is not None, "there is no gap before the first packet"
        gap = ((start - self._due) & _MASK_32) // self._sample_ratio
        lost = self._lost(missing, gap, self._decoder.samples(payload))
        if sum(lost) < gap:
            self._places.clear()
        for index, count in enumerate(lost):
            place = _Place((sequence - missing + index) & _MASK_16, self._due, count, None)
            follower = payload if index == missing - 1 and sum(lost) == gap else None
            pcm = self._make_up(place, follower)
            self.counts.concealed += 1
            if sum(lost) == gap:
                self._places.append(place)
            self._give(pcm, self._due, arrival)
        if self._fill_pauses:
            passed = samples((arrival - self._heard_at) * 1000, self._decoder.rate_hz)
            pause = min(gap, passed) - sum(lost) - self._idled
            if pause > 0:
                self._deliver(silence(pause), (start - pause * self._sample_ratio) & _MASK_32, arrival)

    def _lost(self, missing: int, gap: int, following: int) -> list[int]:
        """How many samples each missing packet had, of those that lie in *gap* and may be made up.

        They had the length of the packet before or of the one that follows. A sender that pauses (DTX) jumps in time
        without losing packets, and may do both at once: what is left of the gap is the pause.
        """
        most = max(samples(MAX_CONCEALED_MS, self._decoder.rate_hz), self._span)
        if missing * min(self._span, following) > most:
            return []
        for changed in range(missing + 1):
            lost = [self._span] * (missing - changed) + [following] * changed
            if sum(lost) == gap:
                return lost if gap <= most else []
        lost = [self._span] * min(missing, gap // self._span)
        return lost if sum(lost) <= most else []

    def _make_up(self, place: _Place, follower: bytes | None) -> Pcm:
        place.before = self._decoder.save()
        if follower is None:
            return self._decoder.conceal(place.samples)
        return self._decoder.recover(follower, place.samples)

    def _forget_old(self) -> None:
        assert self._due is not None, "something was heard"
        reach = samples(REPAIR_MS, RTP_RATE_HZ)
        while self._places:
            first = self._places[0]
            if first.payload is None and (self._due - first.start) & _MASK_32 <= reach:
                return
            del self._places[0]

    def _take_late(self, sequence: int, start: int, payload: bytes) -> None:
        for at, place in enumerate(self._places):
            if (place.sequence, place.start, place.payload) == (sequence, start, None) and self._fits(place, payload):
                self._hear_again(at, payload)
                return
        self.counts.late += 1

    def _fits(self, place: _Place, payload: bytes) -> bool:
        try:
            return self._decoder.samples(payload) == place.samples
        except CodecError:
            return False

    def _hear_again(self, at: int, payload: bytes) -> None:
        places, now = self._places[at:], self._decoder.save()
        places[0].payload = payload
        self._decoder.restore(places[0].before)
        try:
            # The last one is the newest packet, which is there.
            followers = [each.payload for each in places[1:]] + [None]
            pcm = [
                self._make_up(place, follower) if place.payload is None else self._decoder.decode(place.payload)
                for place, follower in zip(places, followers, strict=True)
            ]
        except CodecError:
            places[0].payload = None
            self._decoder.restore(now)
            self.counts.undecodable += 1
            return
        self.counts.repaired += 1
        self._repair(np.concatenate(pcm))
