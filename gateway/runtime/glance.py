"""What a session looks like at one instant."""

from dataclasses import dataclass, replace

from gateway.core.ids import ItemId
from gateway.core.members import Company
from gateway.core.state import Response, State
from gateway.core.tree import Node


@dataclass(frozen=True, slots=True)
class Glance:
    """A session at one instant between two inputs, when its state and its log agree."""

    seq: int
    path: tuple[Node, ...]
    """The active path, oldest first. Copies: they do not change."""

    open_texts: dict[ItemId, str]
    """Text so far of the answers that live."""

    choices: dict[ItemId, tuple[ItemId, ...]]
    """The items of the active path that have siblings, and these."""

    responses: tuple[Response, ...]
    """Copies of the responses that live."""

    company: Company
    """Who is here."""


def glance_at(state: State, seq: int) -> Glance:
    """The session in *state*, which its log has up to *seq*."""
    conversation, moment = state.conversation, state.moment
    return Glance(
        seq,
        tuple(replace(node) for node in conversation.tree.path()),
        dict(moment.texts),
        conversation.tree.choices(),
        tuple(replace(response) for response in conversation.responses.values()),
        moment.presence.company(),
    )
