"""What a session asks of a voice leg, handed on to its ears and its mouth."""

from gateway.core import inputs as inp
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.transports.reports import where_it_stood
from media.frames import from_bytes
from media.leg import VoiceLeg


class Asked:
    """Implements :class:`gateway.runtime.ports.VoicePort`.

    *recalls*: the client drops what it was sent ahead when an answer is taken away.
    """

    def __init__(self, leg: VoiceLeg, *, recalls: bool) -> None:
        self._leg = leg
        self._recalls = recalls

    def begin(
        self,
        generation: Generation,
        response_id: ResponseId,
        item_id: ItemId,
        heard_chars: int = 0,
        heard_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> None:
        self._leg.begin(generation, response_id, item_id, heard_chars, heard_ms, own_sound=own_sound)

    def hand_over(self, generation: Generation, finish_ms: int) -> None:
        self._leg.mouth.leave(generation, finish_ms, recalled=self._recalls)
        self._leg.tell_edges()

    def speak(self, generation: Generation, text: str) -> None:
        self._leg.mouth.speak(generation, text)

    def sound(self, generation: Generation, pcm: bytes) -> None:
        self._leg.mouth.play(generation, from_bytes(pcm))

    def finish(self, generation: Generation, *, whole: bool = True) -> None:
        self._leg.mouth.finish(generation, whole=whole)

    def flush(self, generation: Generation) -> inp.PlayoutCleared | None:
        cleared = self._leg.flush(generation)
        return where_it_stood(cleared) if cleared is not None else None

    def release(self) -> None:
        self._leg.release()

    def pause(self) -> None:
        self._leg.mouth.pause()

    def resume(self) -> None:
        self._leg.mouth.resume()

    def drop_utterance(self) -> None:
        self._leg.drop_utterance()

    def judge(self) -> None:
        self._leg.judge()

    def transcribe(self, item_id: ItemId) -> None:
        self._leg.transcribe(item_id)

    def sound_of(self, item_id: ItemId) -> bytes | None:
        pcm = self._leg.kept.sound_of(item_id) if self._leg.kept is not None else None
        return pcm.astype("<i2").tobytes() if pcm is not None else None
