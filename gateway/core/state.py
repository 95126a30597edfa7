"""What a session knows: the *conversation*, folded from its log, and the *moment*, which is not kept.

``evolve`` applies an event in place; nobody else changes a state. Applying the log's facts to an
empty conversation gives the same conversation again, which the tests prove for random histories.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from gateway.core import events as ev
from gateway.core.aside import Aside, AsideFact, evolve_asides
from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId, TenantId, UserId
from gateway.core.inputs import Stamp, ToolCalled
from gateway.core.live import Floor, Handover, evolve_floor
from gateway.core.members import Presence
from gateway.core.queue import Queued, evolve_queue
from gateway.core.responses import Response as Response, ResponseFact, evolve_response
from gateway.core.shortened import Shortened, ShortenedFact, evolve_shortened, moved
from gateway.core.steer import Steer, evolve_steers
from gateway.core.tree import Tree
from gateway.core.values import CutReason, Settings, Wish
from gateway.core.voices import Awaited as Awaited, Hearing as Hearing, Voice as Voice

FIRST: Final = Generation(0)
"""Before any response."""

BESIDE_KEPT: Final = 1000
"""Items of answers beside the conversation that can still be redacted."""

KEYS_KEPT: Final = 24 * 3600.0
"""Seconds for which an idempotency key is remembered."""


@dataclass(slots=True)
class Conversation:
    """The durable half: what the log says."""

    settings: Settings = field(default_factory=Settings)
    tenant: TenantId | None = None
    """None before the session is opened."""

    opened_by: UserId = UserId("")
    tree: Tree = field(default_factory=Tree)
    responses: dict[ResponseId, Response] = field(default_factory=dict)
    """Those whose generation or playout has not ended."""

    asides: dict[ResponseId, Aside] = field(default_factory=dict)
    """Answers beside the conversation, while they are being generated."""

    beside: dict[ItemId, ResponseId] = field(default_factory=dict)
    """The last items of theirs whose words are kept, oldest first, and whose they are: they stand in no tree."""

    generation: Generation = FIRST
    """The last one given out."""

    floor: Floor = field(default_factory=Floor)
    queue: list[Queued] = field(default_factory=list)
    """Turns that wait for the running answer to end, in the order in which they will be taken."""

    steers: dict[ItemId, ResponseId] = field(default_factory=dict)
    """Accepted steers whose end is open."""

    shortened: list[Shortened] = field(default_factory=list)
    """Where the context of models begins; of those on the active path the last one counts."""

    applied: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Idempotency key → digest of the command and when it was applied (wall)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """How much of an answer a client says it played."""

    leg: LegId
    """Who says so, and is answered."""

    audio_end_ms: int
    located: tuple[int, int] | None
    """See :class:`gateway.core.inputs.ItemTruncationRequested`."""

    counts: bool
    """True when it comes from the device that spoke the answer: no other one knows."""


@dataclass(frozen=True, slots=True)
class Said:
    """A spoken answer that is over, of which its device may still say that it played less."""

    text: str
    heard_chars: int
    heard_ms: int
    device: DeviceId


@dataclass(slots=True)
class Cut:
    """A response that was told to stop and whose loudspeaker has not yet said where."""

    reason: CutReason
    turn: ItemId | None
    """The voice turn that cut it; None when a client's command did."""

    due: float
    """When its loudspeaker must have said where it stood (monotonic)."""

    nothing_said_on: LegId | None = None
    """The leg of that turn, once it has proved to hold no words; None until then."""

    claim: Claim | None = None
    """What a client says that it played, when that was its reason to cut."""

    steers: bool = False
    """True when the response lives on: only this model call of it ends here."""

    rolls_back: bool = False
    """True when the answer, and the turn that it answers, leave the conversation."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """The rest of the answer that the last cut by voice took away."""

    item_id: ItemId | None
    text: str
    turn: ItemId
    """The voice turn that cut it: only an empty one brings the rest back."""

    generation: Generation

    answers: ItemId | None
    """The end of the user's turn that it answers."""

    ask_again: bool
    """True when the model was stopped and left no rest to be spoken: only the question is there."""

    @property
    def rank(self) -> tuple[bool, Generation]:
        """Of several answers that one turn cut, the highest goes on: one with something left, the newest of those."""
        return self.ask_again or bool(self.text.strip()), self.generation


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that waits until every cut has said where it fell, and every turn what it says."""

    stamp: Stamp
    wish: Wish = field(default_factory=Wish)
    text_only: bool = False
    spoken: bool = False
    """True when a voice turn wants it: it also waits while that voice goes on."""

    steers_on: ResponseId | None = None
    """The answer that it goes on with, from what was heard of it."""

    consumes: tuple[ItemId, ...] = ()
    """Steers that its model call contains."""

    rest: Unheard | None = None
    """What is to be spoken without a model; None when a model is asked."""

    replaces: ItemId | None = None
    """The answer beside which it will stand."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The active path is to end elsewhere, once no answer runs and every turn has its words."""

    to: ItemId | None
    """None: before the first message."""

    whole: bool
    """True to go on to the end of the branch with that item, False to end at it."""


@dataclass(slots=True)
class Moment:
    """The transient half: gone with the process, and nothing is lost by that."""

    texts: dict[ItemId, str] = field(default_factory=dict)
    """All text generated so far of items whose response still lives."""

    voices: dict[LegId, Voice] = field(default_factory=dict)
    """Voice legs, in the order in which they joined."""

    reworded: dict[ItemId, int] = field(default_factory=dict)
    """How often what a message says was changed, cut or removed since the process began."""

    cuts: dict[Generation, Cut] = field(default_factory=dict)
    pending: Pending | None = None
    unheard: Unheard | None = None
    transcribing: dict[ItemId, Awaited] = field(default_factory=dict)
    """Committed turns whose words are awaited."""

    over_answers: dict[ItemId, Generation] = field(default_factory=dict)
    """Turns without words yet that were spoken over an answer → the last generation then: a stop word in them
    silences that, and wants no other."""

    said: dict[ItemId, Said] = field(default_factory=dict)
    """The last few spoken answers that are over, oldest first."""

    switch: Switch | None = None
    replaced: ItemId | None = None
    """The answer that is being given again: it comes back if the new one comes to nothing."""

    choices: dict[ItemId, tuple[ItemId, ...]] = field(default_factory=dict)
    """Which items of the active path have siblings, as clients were told."""

    paused_until: float | None = None
    """When a button's pause becomes a cut (monotonic); None while no button holds the answer."""

    handover: Handover = field(default_factory=Handover)
    waiting_texts: dict[ItemId, str] = field(default_factory=dict)
    """Words of the turns that wait."""

    wishes: dict[ItemId, Wish] = field(default_factory=dict)
    """What is wanted for the answers alone for which they wait, where that is anything."""

    not_before: dict[ItemId, float] = field(default_factory=dict)
    """When a turn that is debounced has waited long enough (monotonic)."""

    steers: dict[ItemId, Steer] = field(default_factory=dict)
    """Accepted steers whose end is open, in the order in which they came."""

    steering: dict[ResponseId, float | None] = field(default_factory=dict)
    """Steered answers without a model call, and when it is time for the next (monotonic); None once it is."""

    wanted: dict[ResponseId, Wish] = field(default_factory=dict)
    """What was wanted for one answer alone, for its next model call."""

    calls: dict[ResponseId, list[ToolCalled]] = field(default_factory=dict)
    """Tools that the model asks for, which begin only once its answer has ended well."""

    aside_texts: dict[ResponseId, str] = field(default_factory=dict)
    """All text generated so far of answers beside the conversation."""

    thoughts: dict[ResponseId, int] = field(default_factory=dict)
    """How many code points of each answer's reasoning were told."""

    cancelled: list[ResponseId] = field(default_factory=list)
    """The last few responses that a command cancelled, oldest first."""

    hushed: bool = False
    """Somebody wanted silence: what waits does not break it. Whoever asks for something ends it."""

    last_typed: str = ""
    """What was typed since an answer was last asked for: a typed "stop" wants none."""

    presence: Presence = field(default_factory=Presence)


@dataclass(slots=True)
class State:
    """Both halves."""

    conversation: Conversation = field(default_factory=Conversation)
    moment: Moment = field(default_factory=Moment)

    def alive(self) -> list[Response]:
        """Responses that generate or sound and were not cut for good, oldest first."""
        cuts = self.moment.cuts
        return [
            r for r in self.conversation.responses.values() if (cut := cuts.get(r.generation)) is None or cut.steers
        ]

    def waits_for_words(self) -> bool:
        """True while an answer must not begin, since a turn has yet to tell what it says."""
        return any(it.waited_for for it in self.moment.transcribing.values())

    def deadlines(self) -> Iterator[float]:
        """When something must be decided (monotonic), in no order."""
        moment = self.moment
        due = [moment.paused_until, moment.handover.kept_until, *moment.handover.moves.values()]
        for voice in moment.voices.values():
            due += [voice.deadline, voice.turn_due]
        for awaited in moment.transcribing.values():
            due += [awaited.due, awaited.go_on]
        due += [cut.due for cut in moment.cuts.values()]
        due += [*moment.not_before.values(), *moment.steering.values()]
        yield from (when for when in due if when is not None)
        yield from moment.presence.deadlines()

    def by_generation(self, generation: Generation) -> Response | None:
        """The living response of a generation; None when it is over."""
        return next((r for r in self.conversation.responses.values() if r.generation == generation), None)


def evolve(state: Conversation, fact: ev.Fact) -> None:
    """Fold one fact into the conversation. Content is not needed: redacted logs fold alike."""
    match fact:
        case (
            ev.SessionOpened() | ev.SettingsChanged() | ev.FloorChanged() | ev.ContextShortened() | ev.ContextRestored()
        ):
            _evolve_shared(state, fact)
        case ev.ItemAdded():
            state.tree.add(fact)
            _own(state, fact)
        case ev.ItemRemoved(item_id):
            moved(state.shortened, item_id, state.tree.nodes[item_id].parent)
            state.tree.remove(item_id)
        case ev.CommandApplied(key, digest, wall):
            state.applied[key] = (digest, wall)
            _forget_commands(state.applied, wall - KEYS_KEPT)
        case (
            ev.ItemCompleted()
            | ev.ItemTruncated()
            | ev.ItemRedacted()
            | ev.ItemTranscribed()
            | ev.ItemTranscriptionFailed()
        ):
            _evolve_item(state, fact)
        case ev.TurnQueued() | ev.QueueEdited() | ev.QueueReordered() | ev.QueueWithdrawn() | ev.QueueTaken():
            evolve_queue(state.queue, fact)
        case ev.SteerAccepted() | ev.SteerConsumed() | ev.SteerFailed():
            evolve_steers(state.steers, fact)
        case ev.BranchSelected() | ev.ItemCorrected() | ev.ReactionAdded() | ev.ReactionRemoved():
            _evolve_tree(state.tree, fact)
        case ev.AsideStarted() | ev.AsideCalled() | ev.AsideEnded():
            _evolve_aside(state, fact)
        case _:
            _evolve_response(state, fact)


def _evolve_aside(state: Conversation, fact: AsideFact) -> None:
    if isinstance(fact, ev.AsideStarted):
        state.generation = fact.generation
    else:
        state.beside[fact.item_id] = fact.response_id
        if len(state.beside) > BESIDE_KEPT:
            del state.beside[next(iter(state.beside))]
    evolve_asides(state.asides, fact)


ItemFact = ev.ItemCompleted | ev.ItemTruncated | ev.ItemRedacted | ev.ItemTranscribed | ev.ItemTranscriptionFailed


def _evolve_item(state: Conversation, fact: ItemFact) -> None:
    if state.beside.pop(fact.item_id, None) is not None:
        return
    node = state.tree.nodes[fact.item_id]
    match fact:
        case ev.ItemCompleted():
            node.status, node.fell_short = fact.status, fact.fell_short
        case ev.ItemTruncated():
            node.truncated, node.seen, node.broken_off = True, fact.seen, fact.reason != "interrupted"
            node.heard_ms = fact.heard_ms
        case ev.ItemRedacted():
            node.redacted, node.awaits_words = True, False
        case _:
            node.awaits_words = False


def _evolve_response(state: Conversation, fact: ResponseFact) -> None:
    if isinstance(fact, ev.ResponseStarted | ev.ResponseSteered):
        state.generation = fact.generation
    evolve_response(state.responses, fact)


def _evolve_tree(
    tree: Tree, fact: ev.BranchSelected | ev.ItemCorrected | ev.ReactionAdded | ev.ReactionRemoved
) -> None:
    match fact:
        case ev.BranchSelected(tip):
            tree.select(tip)
        case ev.ItemCorrected():
            tree.correct(fact)
        case _:
            tree.react(fact)


SharedFact = ev.SessionOpened | ev.SettingsChanged | ev.FloorChanged | ShortenedFact


def _evolve_shared(state: Conversation, fact: SharedFact) -> None:
    if isinstance(fact, ev.ContextShortened | ev.ContextRestored):
        evolve_shortened(state.shortened, fact)
        return
    if isinstance(fact, ev.FloorChanged):
        state.floor = evolve_floor(fact)
        return
    state.settings = fact.settings
    if isinstance(fact, ev.SessionOpened):
        state.tenant, state.opened_by = fact.tenant, fact.user


def _forget_commands(applied: dict[str, tuple[str, float]], before: float) -> None:
    for key, (_, wall) in list(islice(applied.items(), 2)):  # oldest first: two a step keep up with one new one
        if wall < before:
            del applied[key]


def _own(state: Conversation, fact: ev.ItemAdded) -> None:
    if fact.response_id is not None and fact.role == "assistant":
        response = state.responses.get(fact.response_id)
        if response is not None:
            response.item_id = fact.item_id
