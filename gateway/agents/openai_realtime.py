"""A model that hears and speaks by itself: OpenAI's Realtime protocol, at any server that speaks it.

Each of our sessions has one upstream session. Turns and barge-in stay ours: the server detects nothing, is told what
was said and what was heard of its answers, and is asked for each one. Its sessions end after an hour at most; a fresh
one takes their place before that, between two answers, and is told the conversation in writing: what a voice sounded
like is lost with the old one, what was said is not.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Final

from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.realtime_line import Line, LineLost
from gateway.agents.realtime_socket import OPENAI, address, dial
from gateway.errors import AgentError, SettingsError
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.ports import Conversation, Piece, SteerMode

IDLE_S: Final = 600.0
"""An upstream session that was asked nothing for so long is closed; the next answer opens another one."""

EARLY_S: Final = 300.0
"""So long before its end an upstream session is replaced: longer than an answer lasts."""

EARLY_SHARE: Final = 0.1
"""And at most this share of its time, for servers that give little of it."""

_BROKE_OFF: Final = "The model server broke off the connection before it answered."


@dataclass(slots=True)
class _Seat:
    """The upstream session of one of ours."""

    line: Line | None = None
    fresh_by: float = 0.0
    """When the line is to be replaced, on the loop's clock; infinite for a server that sets no limit."""

    answering: bool = False
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who may change the line: an answer as long as it runs, else its keeper."""

    keeper: asyncio.Task[None] | None = None


class OpenAIRealtime:
    """Implements :class:`gateway.runtime.ports.Agent`. Cancelling the task that iterates a reply stops the model."""

    speaks = hears = True
    steer: SteerMode = "instruction"

    def __init__(
        self,
        model: str,
        api_key: str | None = None,
        base_url: str | None = None,
        voice: str = "",
        *,
        patience: Patience = PATIENCE,
        idle_s: float = IDLE_S,
        clock: Clock | None = None,
    ) -> None:
        """*base_url* is OpenAI's unless it is given, and then *api_key* may be missing. Raises ``SettingsError``."""
        if not (api_key or base_url):
            raise SettingsError(
                "The model needs a key: set OPENAI_API_KEY, or give the base URL of a server that needs none."
            )
        self.name = f"openai_realtime {model}"
        self._address = address(base_url or OPENAI, model)
        self._key = api_key
        self._voice = voice
        self._patience = patience
        self._idle_s = idle_s
        self._clock = clock or SystemClock()
        self._seats: dict[str, _Seat] = {}

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Yield the answer: its words and its sound. Raises :class:`AgentError`.

        Asked once more, in a fresh upstream session, when the one at hand broke off or could not be brought up to
        date, and nothing was said yet.
        """
        deadline = self._clock.now() + self._patience.first_token_s
        async with self._seated(conversation) as seat:
            again = True
            while True:
                at_hand = seat.line is not None
                line, spoke = await self._line(seat, deadline), False
                try:
                    async with aclosing(line.ask(conversation, self._patience, deadline)) as pieces:
                        async for piece in pieces:
                            spoke = True
                            yield piece
                    return
                except LineLost:
                    if not again:
                        raise AgentError("model_failed", _BROKE_OFF) from None
                except AgentError:
                    if spoke or line.usable or not (at_hand and again):
                        raise
                again = False

    async def aclose(self) -> None:
        """Hang up every upstream session. Calling it twice is harmless."""
        seats, self._seats = list(self._seats.values()), {}
        await asyncio.gather(*(self._leave(seat) for seat in seats))

    @asynccontextmanager
    async def _seated(self, conversation: Conversation) -> AsyncIterator[_Seat]:
        """The session's seat; for an answer beside another one, or beside the conversation, one of its own."""
        seat = self._seats.setdefault(conversation.session_id, _Seat())
        if seat.answering or conversation.beside or conversation.given:
            alone = _Seat()
            try:
                yield alone
            finally:
                await self._leave(alone)
            return
        seat.answering = True
        try:
            async with seat.changing:  # its keeper may be about to replace the line
                yield seat
        finally:
            seat.answering = False
            if seat.keeper is not None:
                seat.keeper.cancel()
            seat.keeper = asyncio.create_task(self._keep(conversation.session_id, seat), name="upstream keeper")

    async def _line(self, seat: _Seat, deadline: float) -> Line:
        """An upstream session that can be asked. Raises :class:`AgentError`."""
        line = seat.line
        if line is not None and not line.in_doubt and self._clock.now() < seat.fresh_by:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience.connect_s):
                    await line.quiet()
            if line.usable:
                return line
        await self._replace(seat, min(deadline, self._clock.now() + self._patience.connect_s))
        assert seat.line is not None
        return seat.line

    async def _replace(self, seat: _Seat, deadline: float) -> None:
        """Open a fresh upstream session, and hang up the one before. Raises :class:`AgentError`."""
        socket = await dial(self._address, self._key, deadline - self._clock.now())
        line = Line(socket, self._voice)
        try:
            async with asyncio.timeout_at(deadline):
                await line.opened()
        except (TimeoutError, LineLost) as error:
            await line.aclose()
            if isinstance(error, LineLost):
                raise AgentError("model_failed", _BROKE_OFF) from None
            raise AgentError("model_timeout", "The model server opened no session in time.") from None
        except BaseException:
            await line.aclose()
            raise
        before, seat.line = seat.line, line
        left = line.expires_at - self._clock.wall()
        if left <= 0:  # its clock is not ours
            left = inf
        seat.fresh_by = self._clock.now() + left - min(EARLY_S, left * EARLY_SHARE)
        if before is not None:
            await before.aclose()

    async def _keep(self, session_id: str, seat: _Seat) -> None:
        """Between two answers: replace the upstream session in time, and close it when nobody asks for long."""
        idle_at = self._clock.now() + self._idle_s
        while seat.line is not None and seat.line.usable and seat.fresh_by < idle_at:
            await asyncio.sleep(seat.fresh_by - self._clock.now())
            try:
                async with seat.changing:
                    await self._replace(seat, self._clock.now() + self._patience.connect_s)
            except AgentError:
                break  # the next answer tries again, and tells if that fails too
        await asyncio.sleep(idle_at - self._clock.now())
        if self._seats.get(session_id) is seat and not seat.answering:
            del self._seats[session_id]
            await self._leave(seat)

    async def _leave(self, seat: _Seat) -> None:
        keeper, line = seat.keeper, seat.line
        seat.keeper = seat.line = None
        if keeper is not None and keeper is not asyncio.current_task():
            keeper.cancel()
        if line is not None:
            await line.aclose()
