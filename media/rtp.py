"""The packets of a call become sound as they arrive.

There is no jitter buffer. A detector gains 80 to 300 ms by hearing each packet at once, in order, with short gaps
filled; whoever plays the sound to a person has a jitter buffer of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media.codec import CodecError, Decoder
from media.frames import PTIME_MS, Pcm

RTP_RATE_HZ: Final = 48_000
"""The RTP clock of Opus, whatever rate is coded (RFC 7587, 4.1)."""

RTP_FRAME: Final = RTP_RATE_HZ * PTIME_MS // 1000
"""RTP time of one tick: 960."""

MAX_CONCEALED: Final = 3
"""Missing packets that are concealed. Concealment fades within 60 ms, and more would be silence that nobody sent."""

MAX_PACKETS_PER_S: Final = 200
"""Four times what a browser sends; what is above is a flood and is not decoded."""

_HALF_16: Final = 1 << 15
_MASK_16: Final = (1 << 16) - 1
_HALF_32: Final = 1 << 31
_MASK_32: Final = (1 << 32) - 1


@dataclass(slots=True)
class Counts:
    """What became of the packets of a call; see :class:`media.peering.PeerStats`."""

    received: int = 0
    late: int = 0
    concealed: int = 0
    undecodable: int = 0
    refused: int = 0


class Inbound:
    """One RTP stream of Opus on its way to PCM, packet by packet, never back in time.

    *deliver* gets (pcm, rtp time of its first sample, arrival) for every packet that is newer than all before it,
    and before it for each packet of a gap of at most :data:`MAX_CONCEALED`.
    """

    __slots__ = ("_admitted", "_decoder", "_deliver", "_due", "_frame", "_newest", "_window", "counts")

    def __init__(self, decoder: Decoder, deliver: Callable[[Pcm, int, float], None]) -> None:
        self.counts: Final = Counts()
        self._decoder = decoder
        self._deliver = deliver
        self._window = 0.0
        self._admitted = 0
        self.restart()

    def restart(self) -> None:
        """A new source follows: its sequence numbers and times have nothing to do with those before."""
        self._newest: int | None = None
        self._due: int | None = None
        self._frame = 0

    def receive(self, sequence: int, rtp_time: int, payload: bytes, arrival: float) -> None:
        """Take one packet. An empty payload is padding and counts only as a number that is not missing."""
        if not self._admit(arrival):
            self.counts.refused += 1
            return
        self.counts.received += 1
        ahead = 1 if self._newest is None else (sequence - self._newest) & _MASK_16
        if not 0 < ahead < _HALF_16:
            self.counts.late += 1
            return
        self._newest = sequence
        if payload:
            self._decode(ahead - 1, rtp_time, payload, arrival)

    def _admit(self, arrival: float) -> bool:
        if arrival - self._window >= 1.0:
            self._window, self._admitted = arrival, 0
        self._admitted += 1
        return self._admitted <= MAX_PACKETS_PER_S

    def _decode(self, missing: int, rtp_time: int, payload: bytes, arrival: float) -> None:
        try:
            if 0 < missing <= MAX_CONCEALED:
                self._fill(missing, rtp_time, payload, arrival)
            pcm = self._decoder.decode(payload)
        except CodecError:
            self.counts.undecodable += 1
            return
        self._frame = len(pcm)
        self._due = (rtp_time + self._rtp_span()) & _MASK_32
        self._deliver(pcm, rtp_time, arrival)

    def _fill(self, missing: int, rtp_time: int, payload: bytes, arrival: float) -> None:
        if self._due is None:
            return
        gap = (rtp_time - self._due) & _MASK_32
        # A sender that pauses (DTX) jumps in time without losing packets, and may do both at once.
        lost = min(missing, gap // self._rtp_span()) if gap < _HALF_32 else 0
        for index in range(lost):
            last = index == lost - 1
            pcm = self._decoder.recover(payload, self._frame) if last else self._decoder.conceal(self._frame)
            self.counts.concealed += 1
            self._deliver(pcm, (self._due + index * self._rtp_span()) & _MASK_32, arrival)

    def _rtp_span(self) -> int:
        return self._frame * (RTP_RATE_HZ // self._decoder.rate_hz)
