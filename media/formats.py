"""The codecs that are spoken, by their names."""

from media import opus
from media.codec import Decoder, Encoder, Format


def encoder(form: Format, rate_hz: int, bitrate_bps: int) -> Encoder:
    """For frames of *rate_hz*; *bitrate_bps* where there is a choice. Raises :class:`media.codec.CodecError`."""
    return opus.Encoder(rate_hz, bitrate_bps)


def decoder(form: Format, rate_hz: int) -> Decoder:
    """To sound of *rate_hz*. Raises :class:`media.codec.CodecError`."""
    return opus.Decoder(rate_hz)
