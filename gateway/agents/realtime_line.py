"""One upstream Realtime session: its connection, what it holds, and the one answer that it may be giving."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Final

import msgspec

from gateway.agents.patience import Patience
from gateway.agents.realtime_asking import settings, wish
from gateway.agents.realtime_mirror import Event, Mirror
from gateway.agents.realtime_reading import Reading
from gateway.agents.realtime_socket import Socket
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Piece

WAITING: Final = 256
"""Events of an answer that may wait to be taken; then nothing more is read."""

SEND_S: Final = 1.0
"""For a connection to take what is sent to it; one that does not is given up."""

_EXPIRED: Final = "session_expired"
"""The server hangs up after that by itself."""

_HARMLESS: Final = frozenset({"response_cancel_not_active"})
"""What is refused when an answer ended while it was being cancelled."""


class LineLost(Exception):
    """The session broke off, or has come to its end, before the answer had begun."""


@dataclass(slots=True)
class _Answer:
    """What the model is asked for now."""

    response_id: str
    """Ours."""

    events: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(WAITING))
    """What comes of it; None when the connection is gone."""

    reading: Reading = field(default_factory=Reading)
    upstream_id: str = ""
    asked: bool = False
    """All of the question is on its way."""

    stopped: bool = False


class Line:
    """An open session. One answer at a time."""

    def __init__(self, socket: Socket, voice: str) -> None:
        self._socket = socket
        self._voice = voice
        self._mirror = Mirror()
        self._told: dict[str, bytes] = {}
        """Of each setting that the session has, a digest."""

        self._answer: _Answer | None = None
        """From the question until the server says that its answer is over, stopped or not."""

        self._quiet = asyncio.Event()
        self._quiet.set()
        self._ready = asyncio.Event()
        self._failure: AgentError | None = None
        self.in_doubt = False
        """The session may hold something else than it should."""

        self._over = False
        self.expires_at = inf
        """When the server ends the session, seconds since the epoch; infinite when it does not say."""

        self._reader = asyncio.create_task(self._read(), name="upstream session")

    @property
    def usable(self) -> bool:
        """Can it take another question now?"""
        return self._quiet.is_set() and not (self._over or self.in_doubt) and self._mirror.settled

    async def opened(self) -> None:
        """Wait until the server has greeted. Raises :class:`AgentError`, :class:`LineLost`."""
        await self._ready.wait()
        if self._over:
            raise self._failure or LineLost

    async def aclose(self) -> None:
        """Hang up."""
        self._over = True
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.aclose()

    # --- asking ---

    async def quiet(self) -> None:
        """Wait until the server has ended the answer that was stopped last, or has gone."""
        await self._quiet.wait()

    async def ask(self, conversation: Conversation, patience: Patience, deadline: float) -> AsyncGenerator[Piece, None]:
        """Bring the session up to date, and yield the answer. To be called while it is quiet.

        Raises :class:`AgentError`, and :class:`LineLost` while nothing was said. When the iterator is closed or its
        task is cancelled, the server is told to stop.
        """
        answer = self._answer = _Answer(conversation.response_id)
        reading = answer.reading
        self._quiet.clear()
        clock = asyncio.get_running_loop().time
        try:
            async with _within(deadline, patience):
                if not await self._socket.send(*self._questions(conversation)):
                    raise LineLost
            answer.asked = True
            while True:
                async with _within(deadline, patience, spoke=reading.spoke):
                    event = await answer.events.get()
                if event is None:
                    raise self._loss(reading.spoke)
                if (piece := reading.piece(event)) is not None:
                    deadline = clock() + patience.next_token_s
                    yield piece
                if event["type"] == "response.done":
                    for last in reading.last(event["response"]):
                        yield last
                    return
        finally:
            await self._let_go(answer)

    def _questions(self, conversation: Conversation) -> list[Event]:
        """All that must be sent for an answer, in order."""
        events: list[Event] = []
        wanted = settings(conversation, self._voice)
        told = {name: hashlib.blake2b(msgspec.json.encode(it), digest_size=16).digest() for name, it in wanted.items()}
        # Only what is new: a server may refuse a voice that it has spoken with already, were it the same.
        changed = {name: it for name, it in wanted.items() if told[name] != self._told.get(name)}
        if changed:
            self._told = told
            events.append({"type": "session.update", "session": {"type": "realtime", **changed}})
        events += self._mirror.mend(conversation.messages, conversation.sounds)
        return [*events, {"type": "response.create", "response": wish(conversation)}]

    async def _let_go(self, answer: _Answer) -> None:
        """Nobody takes the answer any more: if it goes on, it is stopped, and what still comes of it dropped."""
        answer.stopped = self._answer is answer
        answer.reading.close(stopped=answer.stopped)
        if not answer.stopped:
            return
        if not answer.asked:  # who knows what the session holds now
            self.in_doubt = True
        while not answer.events.empty():  # whoever waits to put something in must not wait for ever
            answer.events.get_nowait()
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send(_cancel(answer))
        except TimeoutError:
            self.in_doubt = True

    def _loss(self, spoke: bool) -> Exception:
        if self._failure is not None:
            return self._failure
        if not spoke:
            return LineLost()
        return AgentError("model_failed", "The model server broke off the connection in the middle of its answer.")

    # --- reading ---

    async def _read(self) -> None:
        try:
            async for event in self._socket:
                await self._take(event)
                await asyncio.sleep(0)  # a server that sends many at once must not hold up everybody else
        except AgentError as error:
            self._failure = error
        finally:
            self._over = True
            self._ready.set()
            self._quiet.set()
        if (answer := self._answer) is not None and not answer.stopped:
            await answer.events.put(None)
        await self._socket.aclose()

    async def _take(self, event: Event) -> None:
        match event:
            case {"type": "session.created" | "session.updated"}:
                self._greeted(event)
            case {"type": "input_audio_buffer.committed", "item_id": str(item_id)}:
                self._mirror.committed(item_id)
            case {"type": "response.created", "response": {"id": str(response_id)}}:
                await self._begun(response_id)
            case {"type": "response.done", "response": {"id": str(response_id)}}:
                await self._ended(event, response_id)
            case {"type": "error"}:
                await self._refused(event)
            case {"response_id": str(response_id)}:
                await self._grown(event, response_id)

    def _greeted(self, event: Event) -> None:
        session = event.get("session")
        expires_at = session.get("expires_at") if isinstance(session, dict) else None
        if isinstance(expires_at, int | float) and expires_at > 0:
            self.expires_at = float(expires_at)
        self._ready.set()

    async def _begun(self, response_id: str) -> None:
        answer = self._answer
        if answer is None or answer.upstream_id:
            await self._socket.send({"type": "response.cancel", "response_id": response_id})  # nobody asked for it
            return
        answer.upstream_id = response_id
        if answer.stopped:  # the word to stop may have come before there was anything to be stopped
            await self._socket.send(_cancel(answer))

    async def _ended(self, event: Event, response_id: str) -> None:
        answer = self._answer
        if answer is None or answer.upstream_id != response_id:
            return
        self._answer = None
        if not answer.stopped:
            await answer.events.put(event)
        self._quiet.set()

    async def _grown(self, event: Event, response_id: str) -> None:
        answer = self._answer
        if answer is None or answer.upstream_id != response_id:
            return
        match event:
            case {"type": "response.output_item.added", "item": {"id": str(item_id), "type": str(kind)}}:
                call_id = event["item"].get("call_id")
                held = self._mirror.made(item_id, kind, answer.response_id, call_id if isinstance(call_id, str) else "")
                answer.reading.items[item_id] = held
        if not answer.stopped:
            await answer.events.put(event)

    async def _refused(self, event: Event) -> None:
        """Something was not taken, so that the session may lack it. An answer that has begun goes on all the same."""
        error = event.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if code in _HARMLESS:
            return
        self.in_doubt = True
        answer = self._answer
        if answer is not None and not (code == _EXPIRED or answer.stopped or answer.reading.spoke):
            await answer.events.put(event)


def _cancel(answer: _Answer) -> Event:
    return {"type": "response.cancel"} | ({"response_id": answer.upstream_id} if answer.upstream_id else {})


@asynccontextmanager
async def _within(deadline: float, patience: Patience, *, spoke: bool = False) -> AsyncIterator[None]:
    """Raises :class:`AgentError` for what takes longer."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        if spoke:
            sentence = f"The model fell silent for {patience.next_token_s:g} s in the middle of its answer."
        else:
            sentence = f"The model did not begin to answer within {patience.first_token_s:g} s. It may be overloaded."
        raise AgentError("model_timeout", sentence) from None
