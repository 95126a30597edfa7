"""A voice leg as the session sees it: reports become inputs, effects become calls."""

from collections.abc import Callable
from typing import assert_never

from gateway.core import inputs as inp
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.values import Failure
from gateway.runtime.actor import Actor, Origin
from media import edges, endpoint, idleness, leg, playout, scribe
from media.device import Device
from media.frames import Pcm


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
        return self._leg.device

    @property
    def held(self) -> bool:
        """True while the loudspeaker is held silent."""
        return self._leg.held

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
            self._actor.post(_cleared(cleared), self._origin)

    # --- what the session asks for ---

    def begin(self, generation: Generation, response_id: ResponseId, item_id: ItemId) -> None:
        self._leg.begin(generation, response_id, item_id)

    def speak(self, generation: Generation, text: str) -> None:
        self._leg.speak(generation, text)

    def finish(self, generation: Generation) -> None:
        self._leg.finish(generation)

    def flush(self, generation: Generation) -> inp.PlayoutCleared | None:
        cleared = self._leg.flush(generation)
        return _cleared(cleared) if cleared is not None else None

    def release(self) -> None:
        self._leg.release()

    def pause(self) -> None:
        self._leg.pause()

    def resume(self) -> None:
        self._leg.resume()

    def drop_utterance(self) -> None:
        self._leg.drop_utterance()

    def judge(self) -> None:
        self._leg.judge()

    def transcribe(self, item_id: ItemId) -> None:
        self._leg.transcribe(item_id)

    def _report(self, report: leg.Report) -> None:
        input = self._heard(report)
        if input is not None:
            self._actor.post(input, self._origin)

    def _heard(self, report: leg.Report) -> inp.Input | None:
        match report:
            case edges.Suspected(onset_ms):
                return inp.SpeechSuspected(onset_ms)
            case edges.Dismissed():
                return inp.SpeechDismissed()
            case edges.Confirmed(onset_ms):
                return inp.SpeechConfirmed(onset_ms, self._prefix_ms)
            case edges.Sustained():
                return inp.SpeechSustained()
            case edges.Ended():
                return inp.SpeechEnded()
            case endpoint.TurnStarted() | endpoint.TurnEnded() | endpoint.Pressed() | endpoint.Discarded():
                return _turn(report)
            case idleness.Idle(start_ms, end_ms):
                return inp.IdleTimedOut(start_ms, end_ms)
            case _:
                return self._said(report)

    def _said(
        self,
        report: scribe.Heard
        | scribe.Judged
        | scribe.Transcribed
        | scribe.TranscriptionFailed
        | playout.Started
        | playout.Stopped,
    ) -> inp.Input:
        match report:
            case scribe.Heard(text):
                return inp.SpeechHeard(text)
            case scribe.Judged(text):
                return inp.SpeechJudged(text)
            case scribe.Transcribed(tag, text):
                return inp.TurnTranscribed(ItemId(tag), text)
            case scribe.TranscriptionFailed(tag, code, message):
                return inp.TurnTranscriptionFailed(ItemId(tag), Failure(code, message))
            case playout.Started(generation, response_id, item_id):
                self._on_sound(response_id, item_id)
                return inp.PlayoutStarted(Generation(generation))
            case playout.Stopped():
                reached = None if report.whole else report.heard_chars
                return inp.PlayoutStopped(Generation(report.generation), report.heard_ms, reached)
            case _:
                assert_never(report)


def _turn(edge: endpoint.TurnEdge | endpoint.Pressed | endpoint.Discarded) -> inp.Input | None:
    match edge:
        case endpoint.TurnStarted():
            return None  # the session announces a turn when it has decided that it is one
        case endpoint.TurnEnded(start_ms, end_ms):
            return inp.TurnEnded(start_ms, end_ms)
        case endpoint.Pressed(at_ms, preroll_ms):
            return inp.TalkPressed(at_ms, preroll_ms)
        case endpoint.Discarded():
            return inp.TurnDiscarded()


def _cleared(cleared: playout.Cleared) -> inp.PlayoutCleared:
    return inp.PlayoutCleared(
        Generation(cleared.generation), cleared.heard_chars, cleared.heard_ms, started=cleared.started
    )
