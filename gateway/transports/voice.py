"""A voice leg as the session sees it: reports become inputs, effects become calls."""

from collections.abc import Callable

from gateway.core import inputs as inp
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.runtime.actor import Actor, Origin
from gateway.transports.reports import input_of, where_it_stood
from media import leg
from media.frames import Pcm
from media.hearing import endpoint
from media.speaking import playout
from media.speaking.device import Device


class Voice:
    """Implements :class:`gateway.runtime.ports.VoicePort` for one connection.

    *on_sound* is told which answer begins to sound, before its first frame is handed out.
    """

    def __init__(
        self,
        actor: Actor,
        origin: Origin,
        engines: leg.Engines,
        now: Callable[[], float],
        *,
        turns: endpoint.TurnOptions | None,
        interruptible: bool = True,
        client_buffer_ms: int,
        on_sound: Callable[[str, str], None] = lambda _response, _item: None,
    ) -> None:
        self._actor = actor
        self._origin = origin
        self._on_sound = on_sound
        self._prefix_ms = turns.prefix_padding_ms if turns is not None else 0
        self._leg = leg.VoiceLeg(
            engines,
            self._report,
            now,
            turns=turns,
            client_buffer_ms=client_buffer_ms,
            interruptible=interruptible,
        )

    # --- sound, for the transport ---

    def hear(self, pcm: Pcm) -> None:
        """Take 16 kHz sound of the microphone."""
        self._leg.hear(pcm)

    @property
    def attentive(self) -> bool:
        """Whether quiet sound matters now; else silence may take its place."""
        return self._leg.attentive

    def repair(self, pcm: Pcm) -> None:
        """The last samples heard were these."""
        self._leg.repair(pcm)

    def pull(self) -> Pcm | None:
        """The next 480 samples to be played, 24 kHz; None for silence."""
        return self._leg.pull()

    def send(self) -> Pcm | None:
        """As :meth:`pull`, ahead of its playing: no time passes at the device."""
        return self._leg.send()

    def tick(self, *, playing: bool = True) -> None:
        """20 ms have passed at a device that is sent sound ahead; not *playing*, it holds what it has."""
        self._leg.tick(playing=playing)

    @property
    def device(self) -> Device:
        """The device that listens: tell it what the client says of its playing."""
        return self._leg.mouth.device

    @property
    def held(self) -> bool:
        """True while the loudspeaker is held silent."""
        return self._leg.mouth.held

    def configure(self, turns: endpoint.TurnOptions | None, *, interruptible: bool) -> None:
        """Detect turns with these options from now on."""
        self._prefix_ms = turns.prefix_padding_ms if turns is not None else 0
        self._leg.configure(turns, interruptible=interruptible)

    def commit(self) -> bool:
        """End the turn by hand; False when there was none."""
        return self._leg.commit()

    def push(self, *, down: bool) -> bool:
        """Push to talk: a turn begins or ends by hand. False for a press while the microphone is muted."""
        return self._leg.push(down=down)

    def mute(self, muted: bool) -> None:
        """What the microphone sends counts as silence from now on, or as sound again."""
        self._leg.mute(muted)

    async def aclose(self) -> None:
        """Fall silent for good, and say where each answer stood."""
        for cleared in await self._leg.aclose():
            self._actor.post(where_it_stood(cleared), self._origin)

    # --- what the session asks for ---

    def begin(self, generation: Generation, response_id: ResponseId, item_id: ItemId) -> None:
        self._leg.begin(generation, response_id, item_id)

    def speak(self, generation: Generation, text: str) -> None:
        self._leg.mouth.speak(generation, text)

    def finish(self, generation: Generation) -> None:
        self._leg.mouth.finish(generation)

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

    def _report(self, report: leg.Report) -> None:
        if isinstance(report, playout.Started):
            self._on_sound(report.response_id, report.item_id)
        input = input_of(report, self._prefix_ms)
        if input is not None:
            self._actor.post(input, self._origin)
