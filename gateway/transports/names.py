"""Which model and which voice a session gets for the names that its clients give. Pure.

Stock clients have names of OpenAI's in their code (``gpt-realtime-2.1``, ``marin``), most often unknown to their
users: such a name is never an error. It means what the operator says that it means, else the gateway's default.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

OPENAI_VOICES: Final = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""What speaks at OpenAI."""


@dataclass(frozen=True, slots=True)
class Known:
    """The names of one kind that the operator allows."""

    default: str = ""
    """``""`` where names mean nothing: then each passes as it was given."""

    others: Collection[str] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """What clients may say for one of them."""

    def meant(self, asked: str) -> str | None:
        """The name proper of what a client asked for; None for one that nobody here knows."""
        if not self.default:
            return asked
        name = self.aliases.get(asked, asked)
        return name if name == self.default or name in self.others else None

    def first(self, asked: str) -> str:
        """What stands at first where a client asked for this, ``""`` for nothing."""
        return (self.meant(asked) if asked else None) or self.default

    def next(self, now: str, asked: str) -> str:
        """What stands after a client asked for another one than *now*. An unknown name changes nothing."""
        meant = self.meant(asked)
        return meant if meant is not None else now or self.default


@dataclass(frozen=True, slots=True)
class Names:
    """All names that clients may give."""

    models: Known = field(default_factory=Known)
    voices: Known = field(default_factory=Known)
