"""What a client does by hand with its microphone and its loudspeaker, handed on to its voice leg.

Everything raises :class:`gateway.errors.ProtocolViolation` for what cannot be done.
"""

from gateway.errors import ProtocolViolation
from gateway.protocol import extension as ext, realtime as rt
from gateway.transports.microphone import Microphone
from gateway.transports.voice import Voice


def append(voice: Voice | None, microphone: Microphone, event: rt.AudioAppend) -> None:
    """Sound that came as an event."""
    if voice is None:
        raise ProtocolViolation("voice_unavailable", "This gateway serves text alone.")
    voice.hear(microphone.take(event.audio))


def commit(voice: Voice | None) -> None:
    """End the turn."""
    if voice is None or not voice.commit():
        raise ProtocolViolation("input_audio_buffer_commit_empty", "There are not 100 ms of sound to commit.")


def hold(voice: Voice | None, event: ext.PushToTalk | ext.Mute) -> None:
    """Hold a key or let it go; close the microphone or open it."""
    if voice is None:
        raise ProtocolViolation("voice_unavailable", "This connection has no microphone here.")
    if isinstance(event, ext.Mute):
        voice.mute(event.muted)
    elif not voice.push(down=event.state == "down"):
        raise ProtocolViolation("microphone_muted", "A muted microphone hears nothing; unmute it first.")


def played(voice: Voice | None, event: ext.PlaybackReport) -> None:
    """How far the client's loudspeaker is."""
    if voice is None:
        raise ProtocolViolation("playback_report_no_sound", "This connection was sent no sound.")
    if event.buffered_ms is not None:
        voice.device.buffers(event.buffered_ms)
    if event.item_id is not None and not voice.device.played(event.item_id, event.played_ms or 0):
        raise ProtocolViolation("playback_report_invalid_item_id", "No sound of this item was sent.", param="item_id")
