"""What a model is given of a long conversation."""

from dataclasses import dataclass

from gateway.core.ids import ItemId


@dataclass(frozen=True, slots=True)
class ContextOutgrown:
    """The conversation has become too long for its policy: models are to be given what follows ``upto``.

    ``text`` stands for what came before; ``""`` where nothing does.
    """

    upto: ItemId
    covers: tuple[tuple[ItemId, int], ...] = ()
    """The messages of which the text tells, and in which version each was read."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ContextResetRequested:
    """``conversation.context.reset``: models shall know nothing of what was said so far, which stays."""
