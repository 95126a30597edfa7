"""What a session looks like at one instant."""

from dataclasses import dataclass, replace

from gateway.core.aside import Aside
from gateway.core.ids import ItemId, ResponseId
from gateway.core.members import Company
from gateway.core.queue import Queued
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

    asides: dict[Aside, str]
    """The answers beside the conversation that are being generated, each with its text so far."""

    company: Company
    """Who is here."""

    queue: tuple[Queued, ...]
    """The turns that wait, in order."""

    @property
    def running(self) -> list[ResponseId]:
        """All that is being generated, oldest first."""
        began = {it.response_id: it.began for it in self.responses if it.generating}
        began |= {it.response_id: it.generation for it in self.asides}
        return sorted(began, key=lambda it: began[it])


def glance_at(state: State, seq: int) -> Glance:
    """The session in *state*, which its log has up to *seq*."""
    conversation, moment = state.conversation, state.moment
    return Glance(
        seq,
        tuple(replace(node) for node in conversation.tree.path()),
        dict(moment.texts),
        conversation.tree.choices(),
        tuple(replace(response) for response in conversation.responses.values()),
        {it: moment.aside_texts.get(it.response_id, "") for it in conversation.asides.values()},
        moment.presence.company(),
        tuple(conversation.queue),
    )
