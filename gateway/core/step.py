"""One input's consequences, in the making: what the policy files write into."""

from dataclasses import dataclass, field

from gateway.core import effects as fx, events as ev
from gateway.core.ids import ItemId, LegId, ResponseId, derive
from gateway.core.inputs import Stamp
from gateway.core.policy import Policy, is_backchannel, is_stop_word
from gateway.core.state import Conversation, Moment, Response, State, Voice, evolve
from gateway.core.values import Failure


@dataclass(slots=True)
class Step:
    """A fact takes effect on the state as soon as it is decided, so that later decisions see it."""

    state: State
    stamp: Stamp
    policy: Policy
    events: list[ev.Event] = field(default_factory=list)
    facts: list[ev.Fact] = field(default_factory=list)
    stopping: list[fx.StoppingEffect] = field(default_factory=list)
    starting: list[fx.StartingEffect] = field(default_factory=list)
    rejected: bool = False
    minted: int = 0

    @property
    def conversation(self) -> Conversation:
        return self.state.conversation

    @property
    def moment(self) -> Moment:
        return self.state.moment

    @property
    def voice(self) -> Voice | None:
        """The voice leg that the input came from; None when its leg carries no sound (any more)."""
        return self.state.moment.voices.get(self.stamp.leg)

    def mint(self, kind: str) -> str:
        """A new id of a *kind* (``item``, ``resp``), derived from the input's seed."""
        self.minted += 1
        return derive(kind, self.stamp.seed, self.minted - 1)

    def fact(self, fact: ev.Fact) -> None:
        """Decide something that will be remembered."""
        evolve(self.state.conversation, fact)
        self.facts.append(fact)
        self.events.append(fact)

    def signal(self, signal: ev.Signal) -> None:
        """Tell whoever listens now."""
        self.events.append(signal)

    def stop(self, effect: fx.StoppingEffect) -> None:
        """Ask for something to end; it will, before anything is written."""
        self.stopping.append(effect)

    def start(self, effect: fx.StartingEffect) -> None:
        """Ask for something to begin, once the facts are stored."""
        self.starting.append(effect)

    def reject(self, code: str, message: str, param: str | None = None) -> None:
        """Refuse the command of the stamp, with a reason. Nothing else may follow from it."""
        self.rejected = True
        self.signal(ev.CommandRejected(self.stamp.leg, self.stamp.command, Failure(code, message), param))

    def forget_text(self, response: Response) -> None:
        """Let go of an item's text once nothing of its response lives."""
        if response.response_id not in self.conversation.responses and response.item_id is not None:
            self.moment.texts.pop(response.item_id, None)

    def knows(self, item_id: ItemId) -> bool:
        """Does an item have this id, or a turn that is being spoken?"""
        announced = {voice.turn for voice in self.moment.voices.values()}
        return item_id in self.conversation.tree.nodes or item_id in announced

    def is_stop_word(self, text: str) -> bool:
        """Does the whole utterance ask for silence, in this session?"""
        settings = self.conversation.settings
        return is_stop_word(text, settings.language, settings.stop_words)

    def is_backchannel(self, text: str) -> bool:
        """Does the whole utterance only say that somebody listens, in this session?"""
        settings = self.conversation.settings
        return is_backchannel(text, settings.language, settings.backchannels)

    def turn_on(self, leg: LegId) -> ItemId | None:
        """The turn that is being spoken on a leg; None while nobody has the floor there."""
        voice = self.moment.voices.get(leg)
        return voice.turn if voice is not None else None

    def sounding_on(self, leg: LegId) -> ResponseId | None:
        """The response that sounds on a leg; None when it is silent."""
        return next((r.response_id for r in self.state.alive() if r.leg == leg and r.sounding), None)
