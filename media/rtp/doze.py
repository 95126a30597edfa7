"""Quiet packets lie undecoded while nobody has use for them.

Browsers say in each packet how loud it is (RFC 6464). A microphone is quiet most of the time, and what is quiet costs
as much to decode and to judge as speech does. So while nothing is being said such packets are only kept. The sound
before a voice is wanted, so the last of them are decoded when the level rises; those before pass for silence.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from media.codecs.codec import CodecError, Decoder
from media.frames import PTIME_MS
from media.levels import QUIET, LevelGate, power
from media.rtp.inbound import Inbound

log = logging.getLogger(__name__)

SOFTEST: Final = 127
"""The lowest level that a packet can name, in dB below full scale (RFC 6464, 3)."""

KEPT: Final = 10
"""Packets that are decoded when a sound sets in: 200 ms, what a detector hears again when its own gate opens."""

TRIED_EVERY: Final = 25
"""One of so many packets that pass for silence is decoded, to see whether it is as quiet as it says."""

_LOUDER: Final = 2
"""3 dB over what counts as quiet: whoever says that this is quiet does not tell levels. Not more, for the first packet
after others that were left out comes out of Opus far softer than it is (up to 38 dB)."""

_POWERS: Final = tuple(power(-level) for level in range(SOFTEST + 1))
_MASK_16: Final = (1 << 16) - 1
_MASK_32: Final = (1 << 32) - 1


class _Packet(NamedTuple):
    sequence: int
    rtp_time: int
    payload: bytes
    arrival: float


class Doze:
    """Stands in front of an :class:`media.rtp.inbound.Inbound` that uses *decoder*, and wakes it when it must.

    *attentive* tells whether quiet sound matters now. What is lost, late or out of order also ends the doze.
    """

    __slots__ = ("_attentive", "_decoder", "_gate", "_inbound", "_kept", "_newest", "_passed", "_trusted")

    def __init__(self, inbound: Inbound, decoder: Decoder, attentive: Callable[[], bool]) -> None:
        self._inbound: Final = inbound
        self._decoder: Final = decoder
        self._attentive: Final = attentive
        self._gate: Final = LevelGate(PTIME_MS)
        self._kept: Final[deque[_Packet]] = deque()
        self._newest: int | None = None
        self._passed = 0
        self._trusted = True

    def receive(self, sequence: int, rtp_time: int, payload: bytes, arrival: float, level: int | None) -> None:
        """Take a packet whose sender calls it *level* dB below full scale, or says nothing of that."""
        packet = _Packet(sequence, rtp_time, payload, arrival)
        follows = self._newest is not None and sequence == (self._newest + 1) & _MASK_16
        self._newest = sequence
        if level is None or not self._is_quiet(level) or not follows or not payload or self._attentive():
            self.wake()
            self._inbound.receive(*packet)
            return
        self._kept.append(packet)
        if len(self._kept) > KEPT:
            self._pass(self._kept.popleft())

    def wake(self) -> None:
        """Hand on all that is kept."""
        while self._kept:
            self._inbound.receive(*self._kept.popleft())

    def _is_quiet(self, level: int) -> bool:
        self._gate.take(_POWERS[level])
        return self._trusted and not self._gate.loud

    def _pass(self, packet: _Packet) -> None:
        length = (self._kept[0].rtp_time - packet.rtp_time) & _MASK_32
        self._inbound.skip(packet.sequence, packet.rtp_time, length, packet.arrival)
        self._passed += 1
        if self._passed % TRIED_EVERY == 0:
            self._try(packet.payload)

    def _try(self, payload: bytes) -> None:
        try:
            sound = self._decoder.decode(payload).astype(np.float32)
        except CodecError:
            return
        if float(np.mean(sound * sound)) > _LOUDER * QUIET:
            self._trusted = False
            log.warning("a client's audio levels are wrong: it is heard without them")
