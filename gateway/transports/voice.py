"""A voice leg as the session sees it: reports become inputs, effects become calls."""

from collections.abc import Callable
from dataclasses import replace

from gateway.core import inputs as inp
from gateway.runtime.actor import Actor, Origin
from gateway.transports.asked import Asked
from gateway.transports.reports import input_of, where_it_stood
from gateway.transports.room import Room
from media import leg
from media.frames import Pcm
from media.hearing import endpoint
from media.speaking import playout
from media.speaking.device import Device
from media.speech import Manner


class Voice(Asked):
    """The voice leg of one connection.

    *on_sound* is told which answer begins to sound, before its first frame is handed out. *recalls*: its client drops
    what it was sent ahead when an answer is taken away. *room*: where the session's other devices may stand too.
    *manner*: how an answer that begins is to be spoken.
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
        recalls: bool = False,
        room: Room | None = None,
        manner: Callable[[], Manner] = Manner,
    ) -> None:
        self._seat = (room or Room()).enter()
        self._actor = actor
        self._origin = origin
        self._on_sound = on_sound
        self._prefix_ms = turns.prefix_padding_ms if turns is not None else 0
        super().__init__(
            leg.VoiceLeg(
                engines,
                self._report,
                now,
                turns=turns,
                client_buffer_ms=client_buffer_ms,
                interruptible=interruptible,
                near=self._seat.mix,
                manner=manner,
            ),
            recalls=recalls,
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

    def pace(self, speed: float) -> None:
        """Speak answers that begin from now on so many times as fast."""
        self._leg.mouth.pace(speed)

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
        self._seat.leave()
        for cleared in await self._leg.aclose():
            self._actor.post(where_it_stood(cleared), self._origin)

    def _report(self, report: leg.Report) -> None:
        if isinstance(report, playout.Started):
            self._on_sound(report.response_id, report.item_id)
        input = input_of(report, self._prefix_ms)
        if isinstance(input, inp.TurnTranscriptionFailed):
            kept = self._leg.kept
            input = replace(input, audible=kept is not None and kept.has(input.item_id))
        if input is not None:
            self._actor.post(input, self._origin)
