"""G.711 (ITU-T G.711; RFC 3551, 4.5.14): a byte for each sample at 8 kHz, for clients that have nothing better.

The codec is two tables: what each byte means, and which byte each sample becomes. Sound is resampled to and from 8 kHz,
so nothing above 3.7 kHz comes through. A lost packet is concealed after the standard's Appendix I, without its delay
line and its second and third period: the last pitch period is repeated and fades out. Comfort noise (RFC 3389) is never
agreed on, so a pause is silence.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.codecs.codec import RTP_RATES_HZ, CodecError
from media.frames import PTIME_MS, Pcm, samples, silence
from media.resample import Resampler

Law: TypeAlias = Literal["PCMU", "PCMA"]
Bytes: TypeAlias = NDArray[np.uint8]
Codes: TypeAlias = NDArray[np.int64]

RATE_HZ: Final = 8_000

_MAX_PAYLOAD: Final = samples(120, RATE_HZ)

_PITCH: Final = (samples(5, RATE_HZ), samples(15, RATE_HZ))
"""Shortest and longest period that is repeated (Appendix I)."""

_COMPARED: Final = samples(20, RATE_HZ)
"""How much sound a period is found in (Appendix I)."""

_HISTORY: Final = _COMPARED + _PITCH[1]

_STEADY: Final = samples(10, RATE_HZ)
_FADED: Final = samples(60, RATE_HZ)
"""Concealment keeps its level for 10 ms and then loses 20 % each 10 ms (Appendix I)."""

_BLEND: Final = samples(4, RATE_HZ)
"""From concealment back to sound."""


@cache
def _steps(law: Law) -> tuple[Codes, Codes]:
    """What each of the 128 codes of a sign means, and the least magnitude that becomes it; both of 16 bit.

    A code is 3 bits of segment and 4 of step. mu-law has 14 bits and a bias of 33 (G.711, table 2); A-law 13, and its
    first two segments have the same step (table 1).
    """
    code: Codes = np.arange(128)
    segment, step = code >> 4, code & 0x0F
    if law == "PCMU":
        return ((2 * step + 33 << segment) - 33) * 4, np.maximum((2 * step + 32 << segment) - 33, 0) * 4
    base: Codes = 2 * step + 32 * (segment > 0)
    scale: Codes = np.maximum(segment - 1, 0)
    return (base + 1 << scale) * 8, (base << scale) * 8


def _byte(law: Law, code: Codes, negative: NDArray[np.bool_]) -> Bytes:
    """mu-law inverts all bits; A-law every other one, and its sign."""
    signed = np.where(negative ^ (law == "PCMA"), code | 0x80, code)
    return (signed ^ (0xFF if law == "PCMU" else 0x55)).astype(np.uint8)


@cache
def decoding(law: Law) -> Pcm:
    """What each of the 256 bytes means, as a sample."""
    sizes, _ = _steps(law)
    table, codes = np.empty(256, dtype=np.int16), np.arange(128)
    table[_byte(law, codes, np.zeros(128, dtype=np.bool_))] = sizes
    table[_byte(law, codes, np.ones(128, dtype=np.bool_))] = -sizes
    return table


@cache
def encoding(law: Law) -> Bytes:
    """The byte for each of the 65536 samples; a sample's place is itself as an unsigned number."""
    _, least = _steps(law)
    sample = np.arange(65_536).astype(np.uint16).view(np.int16).astype(np.int64)
    return _byte(law, np.searchsorted(least, np.abs(sample), side="right") - 1, sample < 0)


class Encoder:
    """One stream of mono PCM at *rate_hz* on its way to G.711, in packets of 20 ms, 1 ms late.

    Raises :class:`media.codecs.codec.CodecError` for a rate that cannot be resampled.
    """

    def __init__(self, law: Law, rate_hz: int = 24_000) -> None:
        self.frame: Final = rate_hz * PTIME_MS // 1000
        self.rtp_step: Final = RTP_RATES_HZ[law] * PTIME_MS // 1000
        self._table: Final = encoding(law)
        self._zeros: Final = silence(self.frame)
        self._resampler: Final = _resampler(rate_hz, RATE_HZ)
        self._silence: Final = self._table[silence(self.rtp_step)].tobytes()
        self._silent = True
        """The resampler holds back nothing but zeros."""

    def encode(self, pcm: Pcm | None) -> bytes:
        """See :meth:`media.codecs.codec.Encoder.encode`."""
        if pcm is None and self._silent:
            return self._silence
        self._silent = pcm is None
        sound = self._zeros if pcm is None else pcm
        if sound.shape != (self.frame,):
            raise ValueError(f"a frame has {self.frame} samples, not {sound.shape}")
        return self._table[self._resampler.process(sound).view(np.uint16)].tobytes()


@dataclass(slots=True)
class _State:
    resampler: Resampler
    history: Pcm
    """The last sound at 8 kHz that was no concealment."""

    period: int = 0
    """What of it is repeated."""

    made_up: int = 0
    """Samples that were concealed since then."""


class Decoder:
    """One stream of G.711 on its way to mono PCM at *rate_hz*, a multiple of 8 kHz; 1 ms late at any but 8 kHz.

    Raises :class:`media.codecs.codec.CodecError` for another rate.
    """

    def __init__(self, law: Law, rate_hz: int = 16_000) -> None:
        self.rate_hz: Final = rate_hz
        if rate_hz % RATE_HZ:
            raise CodecError("not a multiple of 8 kHz")
        self._ratio: Final = rate_hz // RATE_HZ
        self._table: Final = decoding(law)
        self._state = _State(_resampler(RATE_HZ, rate_hz), silence(_HISTORY))

    def samples(self, payload: bytes) -> int:
        """See :meth:`media.codecs.codec.Decoder.samples`."""
        if not 0 < len(payload) <= _MAX_PAYLOAD:
            raise CodecError("not 1 to 960 bytes")
        return len(payload) * self._ratio

    def decode(self, payload: bytes) -> Pcm:
        """See :meth:`media.codecs.codec.Decoder.decode`."""
        self.samples(payload)
        state, pcm = self._state, self._table[np.frombuffer(payload, dtype=np.uint8)]
        if state.made_up:
            count = min(_BLEND, len(pcm))
            rising = np.arange(1, count + 1) / (count + 1)
            pcm[:count] = np.rint(pcm[:count] * rising + self._continued(count) * (1 - rising))
            state.made_up = 0
        state.history = np.concatenate((state.history, pcm))[-_HISTORY:]
        return state.resampler.process(pcm)

    def conceal(self, samples: int) -> Pcm:
        """See :meth:`media.codecs.codec.Decoder.conceal`; *samples* must be whole at 8 kHz, and at most 120 ms."""
        count, rest = divmod(samples, self._ratio)
        if rest or not 0 < count <= _MAX_PAYLOAD:
            raise CodecError("cannot conceal so many samples")
        if not self._state.made_up:
            self._state.period = _period(self._state.history)
        pcm = np.rint(self._continued(count)).astype(np.int16)
        self._state.made_up += count
        return self._state.resampler.process(pcm)

    def recover(self, payload: bytes, samples: int) -> Pcm:
        """Concealment: a packet of G.711 says nothing about the one before it."""
        return self.conceal(samples)

    def save(self) -> object:
        """See :meth:`media.codecs.codec.Decoder.save`."""
        return self._copy(self._state)

    def restore(self, saved: object) -> None:
        """See :meth:`media.codecs.codec.Decoder.restore`."""
        if not isinstance(saved, _State):
            raise CodecError("not a state of this decoder")
        self._state = self._copy(saved)

    @staticmethod
    def _copy(state: _State) -> _State:
        # Arrays are replaced and never written to.
        return replace(state, resampler=copy(state.resampler))

    def _continued(self, count: int) -> NDArray[np.float64]:
        """The next *count* samples of the concealment."""
        state = self._state
        at = state.made_up + np.arange(count)
        gain = np.clip((_FADED - at) / (_FADED - _STEADY), 0, 1)
        return state.history[len(state.history) - state.period + at % state.period] * gain


def _period(history: Pcm) -> int:
    """The pitch period at the end of *history*: where it is most like itself that much earlier."""
    shortest, longest = _PITCH
    windows = np.lib.stride_tricks.sliding_window_view(history.astype(np.float64), _COMPARED)
    latest, earlier = windows[-1], windows[: longest - shortest + 1]
    likeness = earlier @ latest / np.sqrt(np.sum(earlier**2, axis=1) + 1)
    return longest - int(np.argmax(likeness))


def _resampler(rate_in_hz: int, rate_out_hz: int) -> Resampler:
    try:
        return Resampler(rate_in_hz, rate_out_hz)
    except ValueError as error:
        raise CodecError(str(error)) from error
