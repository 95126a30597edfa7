"""What somebody may do, and in which sessions. Pure.

A *pattern* names sessions: ``SESSION`` or ``USER:SESSION``, where the user is the one who opened it. In both parts
``*`` stands for any run of characters: ``*`` is every session of the tenant, ``ada:*`` those that ada opened.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.core.ids import SessionId, UserId

MAX_GRANTS: Final = 64
MAX_PATTERN: Final = 256
EVERYTHING: Final = "*"


class Right(enum.StrEnum):
    """One thing that may be allowed, or not."""

    READ = "read"
    """See what is said: history and events."""

    SEND = "send"
    """Speak, type, ask for answers, open a session."""

    STEER = "steer"
    """Change what an answer goes by: steer it, edit and delete messages, arrange what waits."""

    CANCEL = "cancel"
    """Stop, cut or pause an answer."""

    APPROVE = "approve"
    """Let a tool do what it asks to do, or forbid it."""

    TAKE_OVER = "take_over"
    """Answer in the model's place."""

    CHANGE_SETTINGS = "change_settings"
    """Change what all connections of a session share."""

    ADMINISTER = "administer"
    """Revoke tokens, mint secrets for other users, and put right what they said."""


Rights: TypeAlias = frozenset[Right]

ALL: Final[Rights] = frozenset(Right)
NONE: Final[Rights] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights in the sessions of a pattern."""

    pattern: str
    rights: Rights

    def covers(self, session: SessionId, opened_by: UserId) -> bool:
        """Is it about this session?"""
        users, _, sessions = self.pattern.rpartition(":")
        return _like(sessions, session) and (not users or _like(users, opened_by))


def granted(grants: Iterable[Grant], session: SessionId, opened_by: UserId) -> Rights:
    """What *grants* give together in one session."""
    return NONE.union(*(grant.rights for grant in grants if grant.covers(session, opened_by)))


def rights_of(names: Iterable[object]) -> Rights:
    """The rights of these names; ``*`` is all of them, and an unknown name gives nothing."""
    known = [name for name in names if isinstance(name, str)]
    return ALL if EVERYTHING in known else frozenset(right for right in Right if right.value in known)


def grants_of(claim: object) -> tuple[Grant, ...]:
    """The grants of ``{pattern: [right, ...]}``. Raises ``ValueError`` for anything else, or for too much of it."""
    if not isinstance(claim, Mapping) or len(claim) > MAX_GRANTS:
        raise ValueError("not a mapping from patterns to rights")
    grants: list[Grant] = []
    for pattern, names in claim.items():
        if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN or not isinstance(names, list):
            raise ValueError("not a mapping from patterns to rights")
        grants.append(Grant(pattern, rights_of(names)))
    return tuple(grants)


def names(rights: Rights) -> list[str]:
    """Their names, in the order in which they are declared."""
    return [right.value for right in Right if right in rights]


def _like(pattern: str, text: str) -> bool:
    """*text* matches *pattern*. Linear: the leftmost place is always good enough for a piece in the middle."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return len(text) - at >= len(last) and text.endswith(last)
