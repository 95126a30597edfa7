"""A response that runs on a WebSocket, and goes on in its successor when it is steered."""

import asyncio
from collections import deque
from typing import Final

import httpx2

from gateway.agents.patience import Patience
from gateway.agents.responses_events import Reading, progress
from gateway.agents.responses_line import Line
from gateway.agents.responses_request import Body, said_by_user
from gateway.agents.upstream import Upstream
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Piece

ACCEPTED_WITHIN_S: Final = 2.0
"""A server that says nothing of a steer in this time does not know what it is."""


class Unanswered(Exception):
    """Nothing was given out, and another way may lead to an answer."""


class Turn:
    """Reads what the server says, and holds back what must not be given out yet."""

    def __init__(self, line: Line, conversation: Conversation, upstream: Upstream, patience: Patience) -> None:
        self.line = line
        self._upstream = upstream
        self._patience = patience
        self._asked_with = conversation.messages
        self._reading = Reading(conversation.response_id)
        self._ready: deque[Piece] = deque()
        self._said: list[str] = []
        """What was given out in the current reply."""

        self._steering = False
        """Was a steer sent whose successor has not begun?"""

        self._spoke = False
        self._deadline = 0.0

    @property
    def over(self) -> bool:
        """Was everything given out?"""
        return self._reading.ending == "complete" and not self._steering and not self._ready

    @property
    def steerable(self) -> bool:
        """Is a response running that nothing was sent to yet?"""
        return bool(self._reading.response_id) and not self._reading.ending and not self._steering

    async def ask(self, body: Body) -> None:
        """Ask for a response. Raises ``httpx2.HTTPError``."""
        self._wait(self._patience.first_token_s)
        await self.line.send({"type": "response.create", **body})

    def added(self, conversation: Conversation) -> list[Body]:
        """What the user added, as items; nothing where the server cannot be asked to go on from what was heard."""
        known = len(self._asked_with)
        if conversation.steered is None or conversation.messages[:known] != self._asked_with:
            return []
        if self._unheard(conversation.steered.partial) is None:
            return []
        added = (message for message in conversation.messages[known:] if message.role == "user")
        return [said_by_user(message.text, message.images) for message in added]

    async def steer(self, added: list[Body], conversation: Conversation) -> None:
        """Have the response go on with what was *added*. Raises ``httpx2.HTTPError``."""
        assert conversation.steered is not None
        lost = self._unheard(conversation.steered.partial)
        if lost:
            self._ready.appendleft(lost)
        self._said, self._asked_with = [], conversation.messages
        self._steering, self._spoke = True, False
        self._wait(ACCEPTED_WITHIN_S)
        event = {"type": "response.steer", "previous_response_id": self._reading.response_id, "input": added}
        await self.line.send(event)

    def given_out(self) -> Piece | None:
        """The next piece of the answer, if one may be given out."""
        if self._steering or not self._ready:
            return None
        piece = self._ready.popleft()
        self._spoke = True
        if isinstance(piece, str):
            self._said.append(piece)
        return piece

    async def read(self) -> None:
        """Wait for an event. Raises :class:`AgentError` and :class:`Unanswered`."""
        try:
            async with asyncio.timeout_at(self._deadline):
                event = await self.line.next()
            if self._steering:
                self._watch(event)
            self._ready += self._reading.feed(event)
        except TimeoutError as error:
            if self._steering:
                raise Unanswered from None
            raise self._upstream.failure(error, self._spoke) from None
        except (httpx2.HTTPError, ValueError) as error:
            if not self._spoke:
                raise Unanswered from None
            raise self._upstream.failure(error, spoke=True) from None
        except AgentError as error:
            if self._steering or (error.code == "model_failed" and not self._spoke):
                raise Unanswered from None
            raise
        if not self._steering and progress(event) != "nothing":
            self._wait(self._patience.next_token_s)

    def _watch(self, event: object) -> None:
        """What becomes of the steer: its successor's beginning is what counts."""
        match event.get("type") if isinstance(event, dict) else None:
            case "response.steer.accepted":
                self._wait(self._patience.first_token_s)
            case "response.steer.failed" | "response.steer.pending":
                raise Unanswered
            case "response.created":
                self._steering = False
                self._wait(self._patience.first_token_s)

    def _unheard(self, partial: str) -> str | None:
        """What was given out and did not arrive: the last piece, at most. None when more of it was not heard."""
        heard, given = _plain(partial), "".join(self._said)
        pieces = ("", self._said[-1]) if self._said else ("",)
        return next((lost for lost in pieces if heard.endswith(_plain(given.removesuffix(lost)))), None)

    def _wait(self, seconds: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds


def _plain(text: str) -> str:
    return " ".join(text.split())
