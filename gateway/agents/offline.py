"""The agent that needs no model and no network: simple rules, English, good enough to try everything."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from gateway.agents.offline_answers import answer
from gateway.runtime.ports import Conversation, SteerMode

TOKENS_PER_S: Final = 15.0
"""Several times faster than speech, as models are, and slow enough that generation can be interrupted."""


def local_now() -> datetime:
    """The system's local time, with its zone."""
    return datetime.now(UTC).astimezone()


class OfflineAgent:
    """Answers by rules, word by word. The same conversation gets the same words, but for the time of day."""

    name = "offline"
    steer: SteerMode = "prefill"
    speaks = hears = False

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = local_now,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        tokens_per_s: float = TOKENS_PER_S,
    ) -> None:
        """*now* tells local time; *pause* waits between words, that many seconds."""
        self._now = now
        self._pause = pause
        self._gap_s = 1 / tokens_per_s

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        """Yield the answer word by word; the pieces joined are the answer. Never fails."""
        words: list[str] = re.findall(r"\s*\S+", answer(conversation, self._now()))
        for place, word in enumerate(words):
            if place:
                await self._pause(self._gap_s)
            yield word

    async def aclose(self) -> None:
        """Nothing to let go of."""
