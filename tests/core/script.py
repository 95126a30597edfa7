"""Lets a test tell a session a story: ``Talk.tell((0.5, SUSPECTED), (0.6, confirmed()), …)``.

Times are seconds since the session began and never go back. What was said by whom is in the names of
the legs; what followed is asked of the talk: ``facts``, ``signals``, ``stopping``, ``starting``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import DeviceId, Generation, ItemId, LegId, UserId
from gateway.core.policy import Policy
from gateway.core.session import Outcome, Session
from gateway.core.state import Hearing, Voice
from gateway.core.values import Failure, Settings

PHONE: Final = LegId("phone")
"""A voice leg whose sound the gateway holds: a pause can be taken back."""

STOCK: Final = LegId("stock")
"""A voice leg that flushes its own buffer when told: a cut cannot be taken back."""

TABLET: Final = LegId("tablet")
"""Another voice leg, in another room."""

CHAT: Final = LegId("chat")
"""A connection without sound."""

WALL: Final = 1_700_000_000.0
"""When every talk begins, seconds since the epoch."""

DAY: Final = 24 * 3600.0

G1, G2, G3 = Generation(1), Generation(2), Generation(3)

ANSWER: Final = "One two three four five."

SUSPECTED: Final = inp.SpeechSuspected(onset_ms=1000)
NOT_ASKED: Final = inp.VoiceJoined(revocable=True, answers=False)
"""From now on the turns of this leg are answered only when its client asks for it."""

VOICE_JOINED: Final = inp.VoiceJoined(revocable=True)
CLAIM: Final = inp.FloorClaimRequested()
RELEASE: Final = inp.FloorReleaseRequested()

DISMISSED: Final = inp.SpeechDismissed()
CONFIRMED: Final = inp.SpeechConfirmed(onset_ms=1000, prefix_ms=300)
SUSTAINED: Final = inp.SpeechSustained()
ENDED: Final = inp.SpeechEnded()
TURN_ENDED: Final = inp.TurnEnded(audio_start_ms=700, audio_end_ms=2500)
DEADLINE: Final = inp.DeadlineReached()
LEFT: Final = inp.LegLeft()
GOODBYE: Final = inp.LegLeft(goodbye=True)
JOINED: Final = inp.DeviceJoined("Anna's", "browser")
UNREACHABLE: Final = inp.DeviceUnreachable()
TYPING: Final = inp.TypingStarted()
INTERRUPT: Final = inp.ResponseRequested(on_active="interrupt")
ASK: Final = inp.ResponseRequested()
CANCEL: Final = inp.CancelRequested()
CLEAR: Final = inp.OutputClearRequested()
BROKEN: Final = Failure("engine_failed", "It broke.")

Line: TypeAlias = tuple[float, inp.Input] | tuple[float, inp.Input, LegId]
E = TypeVar("E")


def typed(text: str) -> inp.ItemSubmitted:
    """Somebody types a message."""
    return inp.ItemSubmitted("user", text)


def cleared(
    generation: Generation, heard: str = "", *, started: bool = True, heard_ms: int = 700
) -> inp.PlayoutCleared:
    """The loudspeaker fell silent after *heard*."""
    return inp.PlayoutCleared(generation, len(heard), heard_ms, started)


def handed_over(
    generation: Generation, heard: str = "", *, started: bool = True, heard_ms: int = 700
) -> inp.PlayoutHandedOver:
    """The loudspeaker let go of an answer after *heard*."""
    return inp.PlayoutHandedOver(generation, len(heard), heard_ms, started)


def answering(
    at: float, generation: Generation = G1, *, text: str = ANSWER, finished: bool = True, sounding: bool = True
) -> list[Line]:
    """A question is typed, and its answer is generated (whole, unless not *finished*) and heard (or held)."""
    story: list[Line] = [(at, typed("Count, please.")), (at, ASK), (at, inp.TextGenerated(generation, text))]
    if finished:
        story.append((at, inp.GenerationFinished(generation)))
    if sounding:
        story.append((at, inp.PlayoutStarted(generation)))
    return story


@dataclass(frozen=True, slots=True)
class Told:
    """One input and what followed."""

    at: float
    input: inp.Input
    leg: LegId
    outcome: Outcome


class Talk:
    """A session in the hands of a test, which is its clock, its devices, its models and its store."""

    def __init__(
        self, policy: Policy | None = None, *, voices: Iterable[LegId] = (PHONE,), session: Session | None = None
    ) -> None:
        self.session = session or Session(policy)
        self.told: list[Told] = []
        self.now = 0.0
        if session is None:
            self.tell((0.0, inp.SessionOpened(Settings(instructions="Be brief."))))
        for leg in voices:
            self.tell((0.0, inp.VoiceJoined(revocable=leg != STOCK), leg))

    def tell(self, *script: Line) -> Outcome:
        """Tell the session what happens, and when; returns what followed from the last of it.

        Sound comes from the phone unless a leg is named, and so do commands: it is one connection.
        """
        return [self.command(line[0], line[1], line[2] if len(line) > 2 else PHONE) for line in script][-1]

    def command(
        self, at: float, input: inp.Input, leg: LegId = PHONE, *, key: str = "", digest: str = "", user: str = ""
    ) -> Outcome:
        """One input, which may carry an idempotency key, and come from a user."""
        assert at >= self.now, "a story does not go back in time"
        self.now = at
        stamp = inp.Stamp(
            mono=at,
            wall=WALL + at,
            seed=f"{len(self.told):04}",
            device=DeviceId(f"{leg} device"),
            leg=leg,
            command=f"event {len(self.told)}",
            key=key,
            digest=digest,
            user=UserId(user),
        )
        outcome = self.session.handle(input, stamp)
        self.told.append(Told(at, input, leg, outcome))
        return outcome

    def reboot(self) -> "Talk":
        """The process ends; another one reads the log."""
        after = Talk(voices=(), session=Session.replay(self.log))
        after.told = list(self.told)  # so that seeds stay unique
        after.now = self.now
        return after

    @property
    def log(self) -> list[ev.Fact]:
        """Every fact so far."""
        return [fact for told in self.told for fact in told.outcome.facts]

    @property
    def events(self) -> list[ev.Event]:
        """Everything that was decided so far."""
        return [event for told in self.told for event in told.outcome.events]

    @property
    def starting(self) -> list[fx.StartingEffect]:
        """Everything that was asked to begin so far."""
        return [effect for told in self.told for effect in told.outcome.starting]

    @property
    def stopping(self) -> list[fx.StoppingEffect]:
        """Everything that was asked to end so far."""
        return [effect for told in self.told for effect in told.outcome.stopping]

    def all(self, kind: type[E]) -> list[E]:
        """Every event and effect of a kind so far, oldest first."""
        return [it for it in (*self.events, *self.starting, *self.stopping) if isinstance(it, kind)]

    def last(self, kind: type[E]) -> E:
        """The latest event or effect of a kind."""
        return self.all(kind)[-1]

    def voice(self, leg: LegId = PHONE) -> Voice:
        """What a leg hears."""
        return self.session.state.moment.voices[leg]

    def hearing(self, leg: LegId = PHONE) -> Hearing:
        """The state of a leg in the table of ``floor``."""
        return self.voice(leg).hearing

    @property
    def path(self) -> list[ItemId]:
        """The active path, oldest first."""
        return [node.item_id for node in self.session.state.conversation.tree.path()]

    def turn(self) -> ItemId:
        """The spoken turn that was committed last."""
        return next(
            fact.item_id
            for fact in reversed(self.log)
            if isinstance(fact, ev.ItemAdded) and fact.spoken and fact.role == "user"
        )

    def says(self, at: float, text: str) -> Outcome:
        """The words of the last spoken turn are known."""
        return self.tell((at, inp.TurnTranscribed(self.turn(), text)))


def only(events: Iterable[object], kind: type[E]) -> E:
    """The one event or effect of a kind."""
    (found,) = [it for it in events if isinstance(it, kind)]
    return found


def none(events: Iterable[object], kind: type[E]) -> bool:
    """True when there is no event or effect of a kind."""
    return not any(isinstance(it, kind) for it in events)


def kinds(events: Iterable[object]) -> list[type[object]]:
    """The types of events or effects, in order."""
    return [type(it) for it in events]


def judged(text: str) -> inp.SpeechJudged:
    """A short utterance seems to say this."""
    return inp.SpeechJudged(text)


def later(story: Iterable[Line], leg: LegId) -> list[Line]:
    """The same story on another leg."""
    return [(line[0], line[1], leg) for line in story]


def failed(item_id: ItemId) -> inp.TurnTranscriptionFailed:
    """A turn's words could not be had."""
    return inp.TurnTranscriptionFailed(item_id, BROKEN)


def speaking() -> Talk:
    """The answer is complete, and is being heard."""
    talk = Talk()
    talk.tell(*answering(1.0))
    return talk


def in_doubt() -> Talk:
    """A voice was confirmed over the answer."""
    talk = speaking()
    talk.tell((2.0, SUSPECTED), (2.1, CONFIRMED))
    return talk


def being_judged() -> Talk:
    """A short utterance over the answer has ended."""
    talk = in_doubt()
    talk.tell((2.4, ENDED))
    return talk


def turn(at: float) -> list[Line]:
    """A turn is spoken in silence."""
    return [(at, SUSPECTED), (at + 0.1, CONFIRMED), (at + 0.8, SUSTAINED), (at + 1.0, ENDED), (at + 1.3, TURN_ENDED)]


def cut_by_voice(
    policy: Policy | None = None,
    *,
    finished: bool = True,
    heard: str | None = "One two",
    voices: tuple[LegId, ...] = (PHONE,),
) -> Talk:
    """The answer was cut by a turn that has ended; *heard* is None when the loudspeaker has not said so yet."""
    talk = Talk(policy, voices=voices)
    talk.tell(*answering(1.0, finished=finished), (2.0, SUSPECTED), (2.1, CONFIRMED), (2.7, SUSTAINED))
    if heard is not None:
        talk.tell((2.71, cleared(G1, heard)))
    talk.tell((3.2, TURN_ENDED))
    return talk
