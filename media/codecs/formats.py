"""The codecs that are spoken, by their names."""

from media.codecs import g711, opus
from media.codecs.codec import Decoder, Encoder, Format


def encoder(form: Format, rate_hz: int, bitrate_bps: int) -> Encoder:
    """For frames of *rate_hz*; *bitrate_bps* where there is a choice. Raises :class:`media.codecs.codec.CodecError`."""
    if form.codec == "opus":
        return opus.Encoder(rate_hz, bitrate_bps)
    return g711.Encoder(form.codec, rate_hz)


def decoder(form: Format, rate_hz: int) -> Decoder:
    """To sound of *rate_hz*. Raises :class:`media.codecs.codec.CodecError`."""
    if form.codec == "opus":
        return opus.Decoder(rate_hz)
    return g711.Decoder(form.codec, rate_hz)
