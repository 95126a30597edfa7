"""OpenAI's Responses API over its WebSocket, where an answer can be steered by the server itself (``response.steer``).

A reply whose task is cancelled with the word that it is steered does not hang up: for a moment the server's response
stays open. The reply that follows sends what the user added, and gives out what that response still says up to its
end, and all of the response that succeeds it. Until the successor has begun nothing is given out, for until then the
server may give the words back.

The server remembers all that it said. So it is asked to go on only where all of that was heard (or shown); a voice is
mostly cut long before what the model has said already, and then the model is told where it was cut, in a request of
its own, as any other. So it is also when the server does not offer steering or fails to, or waits for a tool first.
What fails over the WebSocket before the first token is asked over HTTP.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx2

from gateway.agents.openai_responses import OpenAIResponses
from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.responses_line import Lines, NotOffered
from gateway.agents.responses_turn import Turn, Unanswered
from gateway.runtime.ports import STEERED, Conversation, Piece

KEPT_S: Final = 2.0
"""How long a response waits for what steers it. What follows comes some 10 ms later, or by voice as soon as the
loudspeaker has said where it stood."""

Key: TypeAlias = tuple[str, str]
"""Session and response."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    turn: Turn
    until: asyncio.TimerHandle


class OpenAIResponsesSocket(OpenAIResponses):
    """A model that steers natively where its server does. A plain cancellation hangs up at once."""

    def __init__(
        self,
        model: str,
        api_key: str | None = None,
        base_url: str | None = None,
        reasoning_effort: str | None = None,
        *,
        patience: Patience = PATIENCE,
        kept_s: float = KEPT_S,
    ) -> None:
        """As its base; *kept_s* is how long a steered response waits."""
        super().__init__(model, api_key, base_url, reasoning_effort, patience=patience)
        self.steer = "native"
        self._patience = patience
        self._kept_s = kept_s
        self._kept: dict[Key, _Kept] = {}
        self._lines = Lines(self._upstream, patience.connect_s)

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Yield the answer as the model streams it. Raises :class:`AgentError`. May be cancelled as steered."""
        for ask in (self._go_on, self._begin):
            turn = await ask(conversation)
            try:
                while turn is not None:
                    while (piece := turn.given_out()) is not None:
                        yield piece
                    if turn.over:
                        self._lines.free(turn.line)
                        turn = None
                        return
                    await turn.read()
            except Unanswered:
                continue
            except asyncio.CancelledError as error:
                if error.args == (STEERED,) and turn is not None and turn.steerable:
                    self._keep(conversation, turn)
                    turn = None
                raise
            finally:
                if turn is not None:
                    self._lines.hang_up(turn.line)
        async with aclosing(super().reply(conversation)) as pieces:
            async for piece in pieces:
                yield piece

    async def aclose(self) -> None:
        """Hang up, and close idle connections. Calling it twice is harmless."""
        for key in list(self._kept):
            self._let_go(key)
        await self._lines.aclose()
        await super().aclose()

    async def _go_on(self, conversation: Conversation) -> Turn | None:
        """The response that waits to be steered, once it is; None when there is none that could be."""
        kept = self._kept.pop(_key(conversation), None)
        if kept is None:
            return None
        kept.until.cancel()
        added = kept.turn.added(conversation)
        if not added:
            self._lines.hang_up(kept.turn.line)
            return None
        return kept.turn if await self._sent(kept.turn, kept.turn.steer(added, conversation)) else None

    async def _begin(self, conversation: Conversation) -> Turn | None:
        """A response on a WebSocket of its own; None when there is none to be had."""
        if self.steer != "native":
            return None
        try:
            line = await self._lines.get()
        except NotOffered:
            log.info("the model server offers no WebSocket: answers are steered by instruction")
            self.steer = "instruction"
            return None
        except httpx2.HTTPError:
            return None
        turn = Turn(line, conversation, self._upstream, self._patience)
        return turn if await self._sent(turn, turn.ask(self._body(conversation))) else None

    async def _sent(self, turn: Turn, sending: Awaitable[None]) -> bool:
        """Could it be sent? If not, that connection is of no use any more."""
        try:
            await sending
        except BaseException as error:
            self._lines.hang_up(turn.line)
            if isinstance(error, httpx2.HTTPError):
                return False
            raise
        return True

    def _keep(self, conversation: Conversation, turn: Turn) -> None:
        key = _key(conversation)
        until = asyncio.get_running_loop().call_later(self._kept_s, self._let_go, key)
        self._kept[key] = _Kept(turn, until)

    def _let_go(self, key: Key) -> None:
        kept = self._kept.pop(key)
        kept.until.cancel()
        self._lines.hang_up(kept.turn.line)


def _key(conversation: Conversation) -> Key:
    return conversation.session_id, conversation.response_id
