"""The sound of a call as RTP packets (RFC 3550, RFC 7587), one for each tick, and pauses where there is no sound."""

from struct import Struct
from typing import Final

from media.codecs.codec import Encoder
from media.frames import Pull

HANGOVER_TICKS: Final = 10
"""Silence that is sent after a sound, or when a call begins: the last sound does not end in the other side's
concealment, and its player starts."""

REFRESH_TICKS: Final = 20
"""How often a pause is confirmed: 400 ms, as an Opus encoder with DTX does."""

OPUS_PAUSE: Final = b"\xf8"
"""A packet of the kind of :data:`media.codecs.opus.SILENCE` without a frame: what follows is a pause (DTX), not a loss,
so that a browser plays comfort noise and neither conceals nor counts one. After silence that noise is silence."""

_HEADER: Final = Struct("!BBHII")
_VERSION: Final = 0x80
_EXTENDED: Final = 0x10
_MARKER: Final = 0x80


class Outbound:
    """One RTP stream. *sequence* and *rtp_origin* are its first numbers, to be drawn at random (RFC 3550, 5.1).

    *extension* is a header extension that each packet carries, from its profile on (RFC 3550, 5.3.1). *pause* is the
    payload that confirms a pause; without one, silence does.
    """

    __slots__ = (
        "_encoder",
        "_extension",
        "_first_byte",
        "_first_tick",
        "_origin",
        "_pause",
        "_payload_type",
        "_pull",
        "_quiet",
        "_sequence",
        "_ssrc",
        "_step",
        "octets",
        "rtp_time",
        "sent",
    )

    def __init__(
        self,
        pull: Pull,
        encoder: Encoder,
        *,
        payload_type: int,
        ssrc: int,
        sequence: int,
        rtp_origin: int,
        extension: bytes = b"",
        pause: bytes | None = OPUS_PAUSE,
    ) -> None:
        self._pull = pull
        self._encoder = encoder
        self._payload_type = payload_type
        self._ssrc = ssrc
        self._sequence = sequence
        self._origin = rtp_origin
        self._step = encoder.rtp_step
        self._extension = extension
        self._first_byte = _VERSION | (_EXTENDED if extension else 0)
        self._pause = pause
        self._first_tick: int | None = None
        self._quiet = 0
        self.sent = 0
        """Packets, and"""
        self.octets = 0
        """bytes of payload in them, as sender reports count (RFC 3550, 6.4.1)."""
        self.rtp_time = rtp_origin
        """RTP time of the newest tick, sent or not."""

    def packet(self, tick: int) -> bytes | None:
        """Pull the sound of *tick* and make a packet of it; None in a pause. Ticks that were missed are left out."""
        if self._first_tick is None:
            self._first_tick = tick
        self.rtp_time = (self._origin + (tick - self._first_tick) * self._step) & 0xFFFFFFFF
        pcm = self._pull()
        if pcm is None:
            self._quiet += 1
            payload = self._silence()
            return self._packed(payload, marker=not self.sent) if payload is not None else None
        # A talkspurt begins where packets were left out, and with the first of all (RFC 3551, 4.1).
        marker = self._quiet > HANGOVER_TICKS or not self.sent
        self._quiet = 0
        return self._packed(self._encoder.encode(pcm), marker=marker)

    def _silence(self) -> bytes | None:
        paused = self._quiet - HANGOVER_TICKS - 1
        if paused < 0:
            return self._encoder.encode(None)
        if paused % REFRESH_TICKS:
            return None
        return self._pause or self._encoder.encode(None)

    def _packed(self, payload: bytes, *, marker: bool) -> bytes:
        second = self._payload_type | _MARKER if marker else self._payload_type
        header = _HEADER.pack(self._first_byte, second, self._sequence, self.rtp_time, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.sent += 1
        self.octets += len(payload)
        return header + self._extension + payload
