"""What clients ask for about messages that are there already."""

from dataclasses import dataclass

from gateway.core.ids import ItemId


@dataclass(frozen=True, slots=True)
class EditSubmitted:
    """A user's message is to be said otherwise: a new one beside it, from which the conversation goes on."""

    item_id: ItemId
    text: str
    new_id: ItemId | None = None
    """The id of the new message, if its client gives one."""

    answer: bool = False
    """True when it is to be answered at once."""

    images: tuple[str, ...] = ()
    """Those of the new one: none of the old one's come along."""


@dataclass(frozen=True, slots=True)
class CorrectionSubmitted:
    """A user's message is to be put right in its place. Nothing is answered anew."""

    item_id: ItemId
    text: str
    others: bool = False
    """True when it comes from who may put right what other users said."""


@dataclass(frozen=True, slots=True)
class BranchRequested:
    """The conversation is to go on from the branch with that message."""

    item_id: ItemId


@dataclass(frozen=True, slots=True)
class ReactionRequested:
    item_id: ItemId
    reaction: str


@dataclass(frozen=True, slots=True)
class ReactionWithdrawn:
    item_id: ItemId
    reaction: str
