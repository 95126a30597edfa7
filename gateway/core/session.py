"""A session is a function: ``handle(input, stamp)`` tells what it decided and what it asks for.

``handle`` never waits, never fails on any input in any state, and reads no clock. Replaying the
facts it gave gives its conversation again (:meth:`Session.replay`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from gateway.core import (
    answering,
    asides,
    branching,
    cancelling,
    effects as fx,
    events as ev,
    floor,
    following,
    handover,
    heard,
    inputs as inp,
    messages,
    pausing,
    presence,
    queueing,
    receipts,
    redacting,
    redirecting,
    requesting,
    shortening,
    steering,
    turns,
)
from gateway.core.policy import Policy
from gateway.core.state import KEYS_KEPT, Conversation, Moment, State, Voice, evolve
from gateway.core.step import Step
from gateway.core.truncating import truncate
from gateway.core.values import Failure

NODE_LOST = Failure("node_lost", "The gateway ended while this answer was being given.")
WORDS_LOST = Failure("node_lost", "The gateway ended before the words of this turn were known.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input led to."""

    events: tuple[ev.Event, ...]
    """Facts and signals in the order in which they are to be published."""

    facts: tuple[ev.Fact, ...]
    """The durable ones among them: to be appended before anything is published."""

    stopping: tuple[fx.StoppingEffect, ...]
    """To be performed before the append."""

    starting: tuple[fx.StartingEffect, ...]
    """To be performed after the publication."""

    accepted: bool
    """False when the input was a command that was refused (a :class:`CommandRejected` tells why)."""

    duplicate: bool = False
    """True when the command had been applied before, so that nothing followed from it now."""

    without_effect: bool = False
    """True when there was nothing for the command to do."""


class Session:
    """The state of one session and the rules that change it."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.state = State()

    @classmethod
    def replay(
        cls, facts: Iterable[ev.Fact], policy: Policy | None = None, onto: Conversation | None = None
    ) -> "Session":
        """The session that a log describes: the whole of it, or what follows a snapshot, which it then goes on with.

        Runs no effects; follow it with ``SessionRecovered``.
        """
        session = cls(policy)
        if onto is not None:
            session.state.conversation = onto
        for fact in facts:
            evolve(session.state.conversation, fact)
        return session

    def handle(self, input: inp.Input, stamp: inp.Stamp) -> Outcome:
        """Decide what follows from *input*."""
        step = Step(self.state, stamp, self.policy)
        duplicate = self._applied_before(step)
        if not duplicate and not step.rejected:
            _dispatch(step, input)
            branching.settle(step)
            following.settle(step)
            pausing.settle(step)
            receipts.settle(step)
            redirecting.settle(step)
            queueing.settle(step)
            following.settle(step)  # what the queue began, too
            branching.tell(step)
            presence.settle(step, input)
            if stamp.key and not step.rejected:
                step.fact(ev.CommandApplied(stamp.key, stamp.digest, stamp.wall))
        return Outcome(
            tuple(step.events),
            tuple(step.facts),
            tuple(step.stopping),
            tuple(step.starting),
            not step.rejected,
            duplicate or step.repeated,
            step.without_effect,
        )

    def next_deadline(self) -> float | None:
        """When :class:`DeadlineReached` is due (monotonic seconds); None while nothing is open."""
        return min(self.state.deadlines(), default=None)

    def _applied_before(self, step: Step) -> bool:
        stamp = step.stamp
        known = self.state.conversation.applied.get(stamp.key) if stamp.key else None
        if known is None or known[1] < stamp.wall - KEYS_KEPT:
            return False
        if known[0] == stamp.digest:
            return True
        step.reject("idempotency_conflict", "This idempotency key was used for another command.", "idempotency_key")
        return False


def _dispatch(step: Step, input: inp.Input) -> None:
    if isinstance(input, inp.OfPresence):
        presence.take(step, input)
        return
    if isinstance(input, inp.OfModel):
        _of_model(step, input)
        return
    match input:
        case (
            inp.SpeechSuspected()
            | inp.SpeechDismissed()
            | inp.SpeechConfirmed()
            | inp.SpeechSustained()
            | inp.SpeechEnded()
            | inp.SpeechHeard()
            | inp.SpeechJudged()
            | inp.TurnHeard()
            | inp.TalkPressed()
            | inp.TurnEnded()
            | inp.TurnDiscarded()
            | inp.IdleTimedOut()
        ):
            floor.heard_voice(step, input)
        case inp.TurnTranscribed() | inp.TurnTranscriptionFailed():
            turns.worded(step, input)
        case inp.PlayoutStarted() | inp.PlayoutStopped() | inp.PlayoutCleared() | inp.PlayoutHandedOver():
            _playout(step, input)
        case inp.DeadlineReached():
            pausing.deadline(step)
            queueing.deadline(step)
            redirecting.deadline(step)
            floor.deadline(step)
            handover.deadline(step)
            following.deadline(step)
            presence.deadline(step)
        case inp.SessionOpened() | inp.SessionRecovered() | inp.VoiceJoined() | inp.LegLeft() | inp.SettingsSubmitted():
            _connection(step, input)
        case inp.FloorClaimRequested() | inp.FloorReleaseRequested():
            handover.requested(step, input)
        case inp.ContextOutgrown() | inp.ContextResetRequested():
            shortening.requested(step, input)
        case _:
            _command(step, input)


QueueCommand = inp.QueueEditRequested | inp.QueueReorderRequested | inp.QueueWithdrawalRequested
OfMessages = (
    inp.EditSubmitted | inp.CorrectionSubmitted | inp.BranchRequested | inp.ReactionRequested | inp.ReactionWithdrawn
)
Command = (
    inp.ItemSubmitted
    | inp.ItemDeletionRequested
    | inp.ItemRedactionRequested
    | inp.ItemTruncationRequested
    | inp.ResponseRequested
    | inp.CancelRequested
    | QueueCommand
    | inp.SteerRequested
    | inp.OutputClearRequested
    | inp.PauseRequested
    | inp.ResumeRequested
    | OfMessages
)


def _command(step: Step, input: Command) -> None:
    match input:
        case inp.ItemSubmitted():
            steering.item_submitted(step, input)
        case inp.ItemDeletionRequested():
            steering.item_deletion_requested(step, input)
        case inp.ItemRedactionRequested():
            redacting.item_redaction_requested(step, input)
        case inp.ItemTruncationRequested():
            heard.truncation_requested(step, input)
        case inp.PauseRequested():
            pausing.pause_requested(step)
        case inp.ResumeRequested():
            pausing.resume_requested(step)
        case inp.QueueEditRequested() | inp.QueueReorderRequested() | inp.QueueWithdrawalRequested():
            _queue(step, input)
        case inp.ResponseRequested() | inp.SteerRequested() | inp.CancelRequested() | inp.OutputClearRequested():
            _answers(step, input)
        case _:
            _message(step, input)


AnswerCommand = inp.ResponseRequested | inp.SteerRequested | inp.CancelRequested | inp.OutputClearRequested


def _answers(step: Step, input: AnswerCommand) -> None:
    match input:
        case inp.ResponseRequested(aside=True):
            asides.requested(step, input)
        case inp.ResponseRequested():
            requesting.response_requested(step, input)
        case inp.SteerRequested():
            redirecting.steer_requested(step, input)
        case inp.CancelRequested():
            cancelling.cancel_requested(step, input)
        case inp.OutputClearRequested():
            cancelling.output_clear_requested(step)


def _message(step: Step, input: OfMessages) -> None:
    match input:
        case inp.EditSubmitted():
            branching.edit_submitted(step, input)
        case inp.BranchRequested():
            branching.branch_requested(step, input)
        case inp.CorrectionSubmitted():
            messages.correction_submitted(step, input)
        case inp.ReactionRequested():
            messages.reaction_requested(step, input)
        case inp.ReactionWithdrawn():
            messages.reaction_withdrawn(step, input)
        case _:
            assert_never(input)


def _queue(step: Step, input: QueueCommand) -> None:
    match input:
        case inp.QueueEditRequested():
            queueing.edit_requested(step, input)
        case inp.QueueReorderRequested():
            queueing.reorder_requested(step, input)
        case inp.QueueWithdrawalRequested():
            queueing.withdrawal_requested(step, input)


def _of_model(step: Step, input: inp.OfModel) -> None:
    aside = asides.of(step, input.generation)
    if aside is not None:
        asides.went_on(step, aside, input)
        return
    match input:
        case inp.TextGenerated():
            answering.generated(step, input)
        case inp.GenerationBegan():
            answering.began(step, input)
        case inp.SoundBegan():
            answering.sound_began(step, input)
        case inp.GenerationFinished() | inp.GenerationFailed():
            answering.finished(step, input)
        case _:
            answering.went_on(step, input)


Playout = inp.PlayoutStarted | inp.PlayoutStopped | inp.PlayoutCleared | inp.PlayoutHandedOver


def _playout(step: Step, input: Playout) -> None:
    match input:
        case inp.PlayoutStarted():
            heard.started(step, input)
        case inp.PlayoutStopped():
            heard.stopped(step, input)
        case inp.PlayoutCleared():
            heard.cleared(step, input)
        case inp.PlayoutHandedOver():
            following.handed_over(step, input)


Connection = inp.SessionOpened | inp.SessionRecovered | inp.VoiceJoined | inp.LegLeft | inp.SettingsSubmitted


def _connection(step: Step, input: Connection) -> None:
    match input:
        case inp.SessionOpened():
            if step.conversation.tenant is None:  # whose it is never changes
                step.fact(ev.SessionOpened(input.settings, input.tenant, input.user))
        case inp.SettingsSubmitted(settings):
            if settings != step.conversation.settings:
                step.fact(ev.SettingsChanged(settings))
        case inp.VoiceJoined():
            voice = step.moment.voices.setdefault(
                step.stamp.leg, Voice(step.stamp.device, input.revocable, user=step.stamp.user)
            )
            voice.answers, voice.interrupts = input.answers, input.interrupts
            handover.joined(step, step.stamp.leg)
            pausing.joined(step)
        case inp.LegLeft():
            _leg_left(step, goodbye=input.goodbye)
            presence.left(step, goodbye=input.goodbye)
        case inp.SessionRecovered():
            _recovered(step, input)


def _leg_left(step: Step, *, goodbye: bool) -> None:
    """A disconnect is not a cancel: what the leg spoke waits for another one, and else goes on in writing."""
    leg = step.stamp.leg
    voice = step.moment.voices.pop(leg, None)
    for response in [r for r in step.conversation.responses.values() if r.leg == leg]:
        # The leg reports its playouts before it leaves; one that did not is taken as heard so far.
        text = step.moment.texts.get(response.item_id, "") if response.item_id is not None else ""
        started = response.sounding or response.generation in step.moment.cuts
        heard.cleared(step, inp.PlayoutCleared(response.generation, len(text), 0, started))
    if voice is not None:
        handover.left(step, leg, voice, goodbye=goodbye)
    if voice is not None and voice.turn is not None:
        turns.discarded(step, leg, voice.turn, voice.audio_start_ms)


def _recovered(step: Step, input: inp.SessionRecovered) -> None:
    """Close what the end of the owner's process left open: every response ends exactly once."""
    replaced = (it.replaces for it in step.conversation.responses.values() if it.replaces is not None)
    step.state.moment = Moment(voices=step.moment.voices, presence=step.moment.presence, replaced=next(replaced, None))
    queueing.recovered(step, input)
    receipts.recovered(step, input)
    asides.recovered(step, NODE_LOST)
    for response in list(step.conversation.responses.values()):
        item_id = response.item_id
        leg, lost_at = response.mouth, response.lost_at
        if response.left is not None and response.sounded:
            lost_at = (response.heard_chars, response.heard_ms)
        if response.generating:
            text = input.open_texts.get(item_id, "") if item_id is not None else ""
            if item_id is not None:
                step.fact(ev.ItemCompleted(item_id, response.response_id, "incomplete", text))
            step.fact(
                ev.ResponseEnded(
                    response.response_id, response.generation, "failed", item_id, reason="node_lost", failure=NODE_LOST
                )
            )
            if item_id is not None and lost_at is not None:
                truncate(step, item_id, text, *lost_at, "leg_lost")
        if leg is not None and item_id is not None:
            step.fact(ev.PlayoutCleared(response.response_id, leg))
    for node in list(step.conversation.tree.nodes.values()):
        if node.awaits_words:
            step.fact(ev.ItemTranscriptionFailed(node.item_id, WORDS_LOST))
    handover.recovered(step)
