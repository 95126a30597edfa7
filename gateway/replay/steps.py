"""What to play, and when: ``file.wav`` or ``file.wav@EVENT+MILLISECONDS``.

======================  ==================================================================================
step                    plays
======================  ==================================================================================
``a.wav``, the first    as soon as the session is ready
``a.wav``, a later one  when the step before has been played and answered: its answer has ended, its sound too
                        (or nothing is left to happen, see ``--settle-ms``: a "stop" is not answered)
``a.wav@EVENT``         when the server event EVENT has come since the step before began to play
``a.wav@EVENT+500``     500 ms after that
``a.wav@speaking+500``  500 ms after the answer to the step before became audible; if it is an answer that goes
                        on sounding (the step before was a cough), 500 ms after that step's end
======================  ==================================================================================

Steps never overlap: one whose time has come waits for the end of the one before.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from gateway.protocol.extension import ExtendedEvent
from gateway.protocol.realtime import ServerEvent
from gateway.replay.errors import ReplayError

SPEAKING: Final = "speaking"
"""The condition that is not an event of the wire: answer audio is to be heard."""

_SOUND: Final = "response.output_audio.delta"
"""Comes ahead of what is heard, and over WebSocket alone: :data:`SPEAKING` is what people mean by it."""

MAX_AFTER_MS: Final = 600_000
"""Longest wait after an event, ten minutes: more is a slip of the finger."""

_CONDITION: Final = re.compile(r"(?P<event>[^+\s]+)(?:\+(?P<after>\d{1,9}))?")
_KNOWN_SUFFIX: Final = ".wav"


@dataclass(frozen=True, slots=True)
class Step:
    """A file to play. ``event`` is None for "when it is this step's turn"; ``after_ms`` counts from the event."""

    path: Path
    event: str | None = None
    after_ms: int = 0

    def __str__(self) -> str:
        return self.path.name if self.event is None else f"{self.path.name}@{self.event}+{self.after_ms}"


@cache
def server_events() -> frozenset[str]:
    """Every type of server event that a step can wait for: all that this release knows, but for sound."""
    return frozenset(_tags(ServerEvent) | _tags(ExtendedEvent)) - {_SOUND}


def _tags(kind: type[ServerEvent]) -> set[str]:
    below = {tag for child in kind.__subclasses__() for tag in _tags(child)}
    tag = kind.__struct_config__.tag
    return below | ({tag} if isinstance(tag, str) and not kind.__subclasses__() else set())


def parse(text: str) -> Step:
    """One STEP as it is typed. Does not look at the disk.

    Raises :class:`ReplayError` (``step_unreadable``, ``unknown_event``).
    """
    path, at, condition = (text, "", "") if text.lower().endswith(_KNOWN_SUFFIX) else text.rpartition("@")
    if not path.lower().endswith(_KNOWN_SUFFIX) or len(path) == len(_KNOWN_SUFFIX):
        raise _unreadable(text, "it does not name a .wav file")
    if not at:
        return Step(Path(path))
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise _unreadable(text, f"“@{condition}” is not @EVENT or @EVENT+MILLISECONDS")
    after_ms = int(match["after"] or 0)
    if after_ms > MAX_AFTER_MS:
        raise _unreadable(text, f"{after_ms} ms is more than {MAX_AFTER_MS}")
    return Step(Path(path), _event(match["event"]), after_ms)


def _event(name: str) -> str:
    known = server_events() | {SPEAKING}
    if name in known:
        return name
    near = get_close_matches(name, sorted(known), n=1)
    hint = f"; did you mean “{near[0]}”?" if near else f": it is a server event or “{SPEAKING}”."
    raise ReplayError("unknown_event", f"“{name}” is no event that a step can wait for{hint}")


def _unreadable(text: str, why: str) -> ReplayError:
    return ReplayError("step_unreadable", f"The step “{text}” cannot be read: {why}.")
