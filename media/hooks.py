"""Private parts of other libraries that are replaced or read: named once, so that a change is noticed before a call."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from media.peering import PeerError


@dataclass(frozen=True, slots=True)
class Method:
    """A method of *owner* itself, with the names of its parameters after ``self``."""

    owner: type
    name: str
    parameters: tuple[str, ...] = ()

    def holds(self) -> bool:
        """Whether the library has it so."""
        method = vars(self.owner).get(self.name)
        return method is not None and tuple(inspect.signature(method).parameters)[1:] == self.parameters


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that *owner* sets when it is made."""

    owner: type
    name: str

    def holds(self) -> bool:
        """Whether the library has it so."""
        return self.name in vars(self.owner)["__init__"].__code__.co_names


def check(hooks: Iterable[Method | Attribute]) -> None:
    """Raise :class:`PeerError` (``missing_hook``) that names the first of *hooks* which is not there as expected."""
    for hook in hooks:
        if not hook.holds():
            raise PeerError("missing_hook", f"{hook.owner.__name__}.{hook.name} is not what it was in aiortc 1.16")
