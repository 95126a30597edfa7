"""The two clocks, and the source of ids: the only place where the gateway asks for either."""

import asyncio
import secrets
import time
from typing import Final, Protocol

_ALPHABET: Final = "0123456789abcdefghijkmnpqrstuvwxyz"


class Clock(Protocol):
    """Time as the runtime needs it."""

    def now(self) -> float:
        """Monotonic seconds, on the event loop's clock."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch."""
        ...

    def token(self) -> str:
        """An unguessable id: 26 characters, 130 bits."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return time.time()  # noqa: TID251 - this is where wall time comes from

    def token(self) -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(26))
