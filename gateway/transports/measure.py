"""How many commands a connection may give: they are stored and told to all, and so dearer than sound."""

from typing import Final, get_args

from gateway.errors import ProtocolViolation
from gateway.protocol import extension as ext, realtime as rt
from gateway.transports.commands import Command
from gateway.transports.flood import Bucket

COMMANDS: Final = (*get_args(Command), rt.SessionUpdate, rt.ResponseCreate)
"""What is acknowledged."""

BURST_S: Final = 10.0
"""Commands of so many seconds may come at once: a client gives a new session its history, or sends again what was lost
with a connection."""


class Measure:
    """*a_second* commands, 0 for any number. What stops an answer is not counted."""

    def __init__(self, a_second: int) -> None:
        self._bucket = Bucket(a_second, a_second * BURST_S) if a_second else None

    def check(self, event: ext.AnyClientEvent, now: float) -> None:
        """Count *event*, at *now* (monotonic seconds). Raises ``ProtocolViolation`` (``rate_limited``)."""
        stops = isinstance(event, rt.ResponseCancel | rt.OutputClear)
        if self._bucket is None or stops or not isinstance(event, COMMANDS):
            return
        if not self._bucket.take(now):
            raise ProtocolViolation("rate_limited", "Too many commands; slow down.")
