"""Opus (RFC 6716) by libopus itself, through ctypes: any rate, concealment, and no resampler behind it.

PyAV's wheel carries the library; where it does not, the system's is taken. FFmpeg's wrapper decodes to 48 kHz only
and cannot conceal a loss, so PyAV's own codec is no substitute.
"""

import ctypes
import ctypes.util
import weakref
from collections.abc import Iterator
from enum import Enum, auto
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from media.codecs.codec import RTP_RATES_HZ, CodecError
from media.frames import PTIME_MS, Pcm, silence

SILENCE: Final = b"\xf8\xff\xfe"
"""20 ms of digital silence for any decoder: one fullband CELT frame that is only the silence flag (RFC 6716, 4.3)."""

RATES_HZ: Final = (8_000, 12_000, 16_000, 24_000, 48_000)

_MAX_FRAME_MS: Final = 120
_MAX_FRAMES: Final = 48
"""In one packet: 120 ms of 2.5 (RFC 6716, R5)."""

_MAX_PAYLOAD: Final = 1_275
_LOW_DELAY: Final = 2051
"""CELT only: 4 ms less delay than ``AUDIO`` at the same cost, a quarter of the cost of ``VOIP``, and the only kind
whose state is known after :data:`SILENCE` (after a pause in SILK the sound came back five times as loud)."""

_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_RESET_STATE: Final = 4028


class OpusError(CodecError):
    """libopus is missing, or refused a payload or a setting. The message is libopus's own word for it."""


def _candidates() -> Iterator[str]:
    spec = find_spec("av")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        for folder in (package.parent / "av.libs", package / ".dylibs"):
            yield from map(str, sorted(folder.glob("libopus*")))
    # The search runs a compiler: only where it must.
    system = ctypes.util.find_library("opus")
    if system is not None:
        yield system


@cache
def _library() -> ctypes.CDLL:
    for name in _candidates():
        try:
            return _declare(ctypes.CDLL(name))
        except (OSError, AttributeError):
            continue
    raise OpusError("libopus was found neither in PyAV's wheel nor on the system")


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    state, integer, pointer = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    error = ctypes.POINTER(ctypes.c_int)
    signatures: dict[str, tuple[object, list[object]]] = {
        "opus_get_version_string": (ctypes.c_char_p, []),
        "opus_strerror": (ctypes.c_char_p, [integer]),
        "opus_decoder_create": (state, [integer, integer, error]),
        "opus_decoder_get_size": (integer, [integer]),
        "opus_decoder_destroy": (None, [state]),
        "opus_decode": (integer, [state, ctypes.c_char_p, integer, pointer, integer, integer]),
        "opus_packet_parse": (integer, [ctypes.c_char_p, integer, pointer, pointer, pointer, pointer]),
        "opus_packet_get_samples_per_frame": (integer, [ctypes.c_char_p, integer]),
        "opus_encoder_create": (state, [integer, integer, integer, error]),
        "opus_encoder_destroy": (None, [state]),
        "opus_encode": (integer, [state, pointer, integer, pointer, integer]),
        # Variadic: only the fixed parameters are declared, which is how ctypes learns the calling convention.
        "opus_encoder_ctl": (integer, [state, integer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _checked(result: int) -> int:
    if result < 0:
        raise OpusError(_library().opus_strerror(result).decode())
    return result


def version() -> str:
    """libopus's name and version. Raises :class:`OpusError` when it is missing."""
    text: bytes = _library().opus_get_version_string()
    return text.decode()


class _Pause(Enum):
    """How far an encoder has fallen silent."""

    SOUND = auto()
    TAIL = auto()
    """The packet was sent that carries what the encoder held back: 2.5 ms."""

    SILENCE = auto()
    """:data:`SILENCE` was sent."""


class Decoder:
    """One stream of Opus on its way to mono PCM at *rate_hz*; a stereo sender is mixed down by libopus.

    Raises :class:`OpusError` for a rate that is not in :data:`RATES_HZ`.
    """

    __slots__ = ("__weakref__", "_address", "_pcm", "_size", "_state", "rate_hz")

    def __init__(self, rate_hz: int = 16_000) -> None:
        library, error = _library(), ctypes.c_int()
        self.rate_hz: Final = rate_hz
        self._state: Final = library.opus_decoder_create(rate_hz, 1, ctypes.byref(error))
        _checked(error.value)
        weakref.finalize(self, library.opus_decoder_destroy, self._state)
        self._size: Final = library.opus_decoder_get_size(1)
        self._pcm: Final = silence(rate_hz * _MAX_FRAME_MS // 1000)
        self._address: Final = self._pcm.ctypes.data

    def samples(self, payload: bytes) -> int:
        """How long the sound of one packet is. Raises :class:`OpusError` if its frames cannot be told apart."""
        library, sizes = _library(), (ctypes.c_int16 * _MAX_FRAMES)()
        frames = _checked(library.opus_packet_parse(payload, len(payload), None, None, sizes, None))
        return frames * int(library.opus_packet_get_samples_per_frame(payload, self.rate_hz))

    def decode(self, payload: bytes) -> Pcm:
        """The sound of one packet, 2.5 to 120 ms. Raises :class:`OpusError` if it is damaged or empty."""
        if not payload:
            raise OpusError("empty payload")
        return self._run(payload, len(self._pcm), 0)

    def conceal(self, samples: int) -> Pcm:
        """*samples* (a multiple of 2.5 ms, at most 120 ms) that continue the sound where a packet is missing."""
        return self._run(None, self._room(samples), 0)

    def recover(self, payload: bytes, samples: int) -> Pcm:
        """The last *samples* before *payload*: from its in-band FEC (RFC 7587, 7.1) if it has any, else concealed."""
        return self._run(payload, self._room(samples), 1)

    def save(self) -> bytes:
        """The state: one block of memory, which may be copied as such (opus.h, "Opus Decoder")."""
        return ctypes.string_at(self._state, self._size)

    def restore(self, saved: object) -> None:
        """Go back to where *saved* was taken, of this same decoder."""
        if not isinstance(saved, bytes) or len(saved) != self._size:
            raise OpusError("not a state of this decoder")
        ctypes.memmove(self._state, saved, self._size)

    def _room(self, samples: int) -> int:
        if not 0 < samples <= len(self._pcm):
            raise OpusError("invalid argument")
        return samples

    def _run(self, payload: bytes | None, room: int, fec: int) -> Pcm:
        size = len(payload) if payload else 0
        made = _checked(_library().opus_decode(self._state, payload, size, self._address, room, fec))
        return self._pcm[:made].copy()


class Encoder:
    """One stream of mono PCM at *rate_hz* on its way to Opus, in packets of 20 ms, 2.5 ms late.

    *complexity* is 0 to 10. Measured with speech at 32 kb/s: 1 takes 27 us a packet and 5 takes 43, and what comes out
    is about as near to what went in (log-spectral distance 4.5 against 4.4 dB). 0 is heard before a sharp onset.

    Raises :class:`OpusError` for a setting that libopus refuses.
    """

    __slots__ = ("__weakref__", "_address", "_packet", "_pause", "_state", "_zeros", "frame", "rate_hz", "rtp_step")

    def __init__(
        self,
        rate_hz: int = 24_000,
        bitrate_bps: int = 32_000,
        complexity: int = 1,
    ) -> None:
        library, error = _library(), ctypes.c_int()
        self.rate_hz: Final = rate_hz
        self.frame: Final = rate_hz * PTIME_MS // 1000
        self.rtp_step: Final = RTP_RATES_HZ["opus"] * PTIME_MS // 1000
        self._state: Final = library.opus_encoder_create(rate_hz, 1, _LOW_DELAY, ctypes.byref(error))
        _checked(error.value)
        weakref.finalize(self, library.opus_encoder_destroy, self._state)
        _checked(library.opus_encoder_ctl(self._state, _SET_BITRATE, ctypes.c_int32(bitrate_bps)))
        _checked(library.opus_encoder_ctl(self._state, _SET_COMPLEXITY, ctypes.c_int32(complexity)))
        self._zeros: Final = silence(self.frame)
        self._pause = _Pause.SOUND
        self._packet: Final = np.empty(_MAX_PAYLOAD, dtype=np.uint8)
        self._address: Final = self._packet.ctypes.data

    def encode(self, pcm: Pcm | None) -> bytes:
        """The packet for the next 20 ms: :attr:`frame` samples, or None for silence, which soon costs nothing.

        Raises :class:`ValueError` for any other number of samples.
        """
        if pcm is not None:
            self._pause = _Pause.SOUND
            return self._run(pcm)
        match self._pause:
            case _Pause.SOUND:
                self._pause = _Pause.TAIL
                return self._run(self._zeros)
            case _Pause.TAIL:
                self._pause = _Pause.SILENCE
                self._forget()
                return SILENCE
            case _Pause.SILENCE:
                return SILENCE

    def _forget(self) -> None:
        # Frames are predicted from the one before, and the decoder's last one is silence. Unless the encoder thinks
        # the same, the next sound fades in over 120 ms.
        _checked(_library().opus_encoder_ctl(self._state, _RESET_STATE))
        self._run(self._zeros)

    def _run(self, pcm: Pcm) -> bytes:
        if pcm.shape != (self.frame,):
            raise ValueError(f"a frame has {self.frame} samples, not {pcm.shape}")
        samples = np.ascontiguousarray(pcm, dtype=np.int16)
        size = _library().opus_encode(self._state, samples.ctypes.data, self.frame, self._address, _MAX_PAYLOAD)
        return self._packet[: _checked(size)].tobytes()
