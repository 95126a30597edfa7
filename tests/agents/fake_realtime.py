"""A real WebSocket server on the loopback that speaks OpenAI's Realtime protocol: strict, and it tells what it got.

It detects no turns, says what its script says, as a tone for each word, and faster than it would sound unless told
otherwise. In a test: ``async with FakeRealtime(Answer("Hello there.")) as server``, then ``server.base_url``. As a
process: ``python -m tests.agents.fake_realtime --port 0 --text "…"`` prints its address, then a line of JSON for each
session and each event it gets (of sound, only how much).
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

RATE_HZ: Final = 24_000
WORD_MS: Final = 250
GAP_MS: Final = 40

Event: TypeAlias = dict[str, Any]
Fault = Literal["", "silent", "stall", "garbage", "reset", "failed", "no_ack"]
"""``silent`` says nothing after ``response.created``. After ``fault_after`` words, ``stall`` says no more, ``garbage``
sends what is no event, ``reset`` breaks the connection off, ``failed`` ends the response as failed. ``no_ack`` goes on
after it was cancelled, and never says that it ended."""

_FRAME: Final = RATE_HZ * WORD_MS // 1000


def tone(index: int) -> bytes:
    """The sound of the word of this number: each has a pitch of its own."""
    voiced = RATE_HZ * (WORD_MS - GAP_MS) // 1000
    wave = np.zeros(_FRAME)
    wave[:voiced] = 8000 * np.sin(2 * np.pi * (200 + 40 * (index % 12)) * np.arange(voiced) / RATE_HZ)
    return wave.astype("<i2").tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The model asks for a tool."""

    name: str
    arguments: str = "{}"
    call_id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with one ``response.create``."""

    text: str = "Hello there."
    calls: Sequence[Call] = ()
    sound_first: bool = False
    """Sound comes a word ahead of its text, else both at a time."""

    delay_s: float = 0.0
    """Waited before each word."""

    before_word: Callable[[int], Awaitable[None]] | None = None
    """Awaited before the word of this number (from 0) is sent: a gate for tests."""

    status: str = "completed"
    reason: str = ""
    fault: Fault = ""
    fault_after: int = 0
    error: Mapping[str, Any] = field(default_factory=lambda: {"type": "server_error", "code": "server_error"})

    @property
    def words(self) -> list[str]:
        """Its words, each but the first with the space before it."""
        return [word if at == 0 else f" {word}" for at, word in enumerate(self.text.split())]


Script: TypeAlias = Answer | Sequence[Answer] | Callable[["Session"], Answer]


class FakeRealtime:
    """The server. Listens while its context is open; each connection is a :class:`Session`, kept in ``sessions``."""

    def __init__(
        self,
        script: Script = Answer(),
        *,
        port: int = 0,
        expires_in_s: Callable[[], float] | None = None,
        status: int = 0,
        greets: bool = True,
        refuses: Mapping[str, Event] | None = None,
        tell: Callable[[Event], None] | None = None,
        wall: Callable[[], float] = lambda: 1_800_000_000.0,
    ) -> None:
        """*script*: one answer for all, one after another (the last again and again), or made for a session.

        *expires_in_s* tells how long a new session lasts; *status* refuses every connection so; *refuses* answers
        client events of these types with these errors; *tell* hears of events.
        """
        self._script = script
        self._port = port
        self._server: Server | None = None
        self._news = asyncio.Event()
        self._tell = tell
        self.expires_in_s = expires_in_s
        self.status = status
        self.greets = greets
        self.refuses = dict(refuses or {})
        self.wall = wall
        self.sessions: list[Session] = []
        self.answered = 0

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._accept, "127.0.0.1", self._port, max_size=None, compression=None, process_request=self._knock
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        """What a client is given: ``http://127.0.0.1:PORT/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, which is looked at after each event."""
        while not holds():
            await self._news.wait()

    def announce(self, event: Event) -> None:
        self._news.set()
        self._news = asyncio.Event()
        if self._tell is not None:
            self._tell(event)

    def next_answer(self, session: "Session") -> Answer:
        number, self.answered = self.answered, self.answered + 1
        if isinstance(self._script, Answer):
            return self._script
        if callable(self._script):
            return self._script(session)
        return self._script[min(number, len(self._script) - 1)]

    def _knock(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.status:
            return connection.respond(HTTPStatus(self.status), "no\n")
        if not request.path.startswith("/v1/realtime?"):
            return connection.respond(HTTPStatus.NOT_FOUND, "no\n")
        return None

    async def _accept(self, connection: ServerConnection) -> None:
        session = Session(self, connection)
        self.sessions.append(session)
        self.announce({"session": len(self.sessions)})
        with contextlib.suppress(ConnectionClosed):
            await session.run()
        session.closed = True
        self.announce({"closed": self.sessions.index(session) + 1})


class Session:
    """One connection: what came, what it holds, and the one answer that it may be giving."""

    def __init__(self, server: FakeRealtime, connection: ServerConnection) -> None:
        self._server = server
        self._connection = connection
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._answering: asyncio.Task[None] | None = None
        self._active: Event | None = None
        assert connection.request is not None
        self.path = connection.request.path
        self.authorization = connection.request.headers.get("Authorization")
        self.got: list[Event] = []
        self.settings: Event = {}
        self.items: list[Event] = []
        """What the conversation holds, in order; sound as its length in ms (``audio_ms``)."""

        self.turns: list[bytes] = []
        """Turns that were committed as sound."""

        self.cancelled_at: list[float] = []
        """When the word to stop came, on the loop's clock."""

        self.refused: list[Event] = []
        self.closed = False

    # --- for tests ---

    def types(self, *but: str) -> list[str]:
        """The types of what came, without *but*."""
        return [event["type"] for event in self.got if event["type"] not in but]

    def said(self) -> list[tuple[str, str]]:
        """Role and words (or length of sound) of the messages that it holds."""
        return [(item["role"], _words(item)) for item in self.items if item["type"] == "message"]

    async def drop(self) -> None:
        """Break the connection off."""
        self._connection.transport.abort()

    async def send(self, event: Event) -> None:
        """Send any event."""
        await self._connection.send(json.dumps({"event_id": self._id("event"), **event}))

    # --- serving ---

    async def run(self) -> None:
        session: Event = {"type": "realtime", "object": "realtime.session", "id": self._id("sess")}
        if self._server.expires_in_s is not None:
            session["expires_at"] = self._server.wall() + self._server.expires_in_s()
        if self._server.greets:
            await self.send({"type": "session.created", "session": session})
        try:
            async for message in self._connection:
                event = json.loads(message)
                self.got.append(event)
                if (error := self._server.refuses.get(event["type"])) is not None:
                    await self._refuse(event, **error)
                else:
                    await self._take(event)
                self._server.announce({**event, "audio": len(event["audio"])} if "audio" in event else event)
        finally:
            if self._answering is not None:
                self._answering.cancel()

    async def _take(self, event: Event) -> None:
        match event["type"]:
            case "session.update":
                await self._update(event)
            case "input_audio_buffer.append":
                self._buffer += base64.b64decode(event["audio"], validate=True)
            case "input_audio_buffer.commit":
                await self._commit(event)
            case "conversation.item.create":
                await self._create(event)
            case "conversation.item.truncate":
                await self._truncate(event)
            case "conversation.item.delete":
                await self._delete(event)
            case "response.create":
                await self._respond(event)
            case "response.cancel":
                await self._cancel(event)
            case unknown:
                await self._refuse(event, message=f"unknown type {unknown}")

    async def _refuse(self, event: Event, *, code: str = "invalid_value", message: str = "no", **more: Any) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "event_id": event.get("event_id")}
        self.refused.append({**error, **more, "of": event["type"]})
        await self.send({"type": "error", "error": {**error, **more}})

    async def _update(self, event: Event) -> None:
        if event["session"].get("type") != "realtime":
            await self._refuse(event, message="session.type is required")
            return
        self.settings = {**self.settings, **event["session"]}
        await self.send({"type": "session.updated", "session": self.settings})

    async def _commit(self, event: Event) -> None:
        if len(self._buffer) < RATE_HZ // 10 * 2:
            await self._refuse(event, code="input_audio_buffer_commit_empty")
            return
        self.turns.append(self._buffer)
        content = [{"type": "input_audio", "audio_ms": len(self._buffer) // 48, "transcript": None}]
        item = {"id": self._id("item"), "type": "message", "role": "user", "content": content}
        self._buffer = b""
        before = self.items[-1]["id"] if self.items else None
        self.items.append(item)
        await self.send({"type": "input_audio_buffer.committed", "item_id": item["id"], "previous_item_id": before})
        await self._added(item)

    async def _create(self, event: Event) -> None:
        item, before = event["item"], event.get("previous_item_id")
        at = len(self.items)
        if before == "root":
            at = 0
        elif before is not None:
            if self._find(before) is None:
                await self._refuse(event, message="unknown previous_item_id")
                return
            at = self.items.index(self._find(before) or {}) + 1
        if self._find(item["id"]) is not None or len(item["id"]) > 32:
            await self._refuse(event, message="bad id")
            return
        self.items.insert(at, item)
        await self._added(item)

    async def _added(self, item: Event) -> None:
        await self.send({"type": "conversation.item.added", "item": item})
        await self.send({"type": "conversation.item.done", "item": item})

    async def _truncate(self, event: Event) -> None:
        item = self._find(event["item_id"])
        if item is None or item.get("role") != "assistant" or "audio_ms" not in item["content"][event["content_index"]]:
            await self._refuse(event, message="no such sound")
            return
        part = item["content"][event["content_index"]]
        if event["audio_end_ms"] > part["audio_ms"]:
            await self._refuse(event, message=f"only {part['audio_ms']} ms")
            return
        part["audio_ms"], part["transcript"] = event["audio_end_ms"], None
        await self.send({"type": "conversation.item.truncated", "item_id": item["id"], "content_index": 0})

    async def _delete(self, event: Event) -> None:
        item = self._find(event["item_id"])
        if item is None:
            await self._refuse(event, message="unknown item_id")
            return
        self.items.remove(item)
        await self.send({"type": "conversation.item.deleted", "item_id": item["id"]})

    async def _respond(self, event: Event) -> None:
        if self._active is not None:
            await self._refuse(event, code="conversation_already_has_active_response")
            return
        response = {"id": self._id("resp"), "object": "realtime.response", "status": "in_progress", "output": []}
        self._active = response
        await self.send({"type": "response.created", "response": response})
        self._answering = asyncio.create_task(self._give(self._server.next_answer(self), response))

    async def _cancel(self, event: Event) -> None:
        self.cancelled_at.append(asyncio.get_running_loop().time())
        if self._active is None:
            await self._refuse(event, code="response_cancel_not_active")
        elif self._answering is not None and self._active.get("fault") != "no_ack":
            self._answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._answering
            await self._end(self._active, "cancelled", {"type": "cancelled", "reason": "client_cancelled"})

    # --- answering ---

    async def _give(self, answer: Answer, response: Event) -> None:
        response["fault"] = answer.fault
        if answer.fault == "silent":
            return
        with contextlib.suppress(ConnectionClosed):
            if answer.text:
                await self._speak(answer, response)
            if answer.fault in ("stall", "no_ack", "reset"):
                return
            for call in answer.calls:
                await self._call(call, response)
            failed = answer.fault == "failed" or answer.status == "failed"
            details = {"type": "failed", "error": answer.error} if failed else {"reason": answer.reason}
            await self._end(response, "failed" if failed else answer.status, details)

    async def _speak(self, answer: Answer, response: Event) -> None:
        part: Event = {"type": "output_audio", "transcript": "", "audio_ms": 0}
        item: Event = {"id": self._id("item"), "type": "message", "role": "assistant", "content": [part]}
        self.items.append(item)
        response["output"].append(item)
        ids = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
        shown = {**item, "content": []}
        await self.send({"type": "response.output_item.added", "response_id": response["id"], "item": shown})
        await self.send({"type": "conversation.item.added", "item": shown})
        for at, word in enumerate(answer.words):
            if answer.fault and at == answer.fault_after:
                if answer.fault == "garbage":
                    await self._connection.send("{}")
                if answer.fault == "reset":
                    await self.drop()
                if answer.fault != "no_ack":
                    return
            if answer.before_word is not None:
                await answer.before_word(at)
            if answer.delay_s:
                await asyncio.sleep(answer.delay_s)
            sound = {"type": "response.output_audio.delta", **ids, "delta": base64.b64encode(tone(at)).decode()}
            text = {"type": "response.output_audio_transcript.delta", **ids, "delta": word}
            part["audio_ms"] += WORD_MS
            part["transcript"] += word
            if self.settings.get("output_modalities") == ["text"]:
                await self.send({**text, "type": "response.output_text.delta"})
                continue
            for event in (sound, text) if answer.sound_first else (text, sound):
                await self.send(event)
        await self.send({"type": "response.output_audio.done", **ids})
        await self.send({"type": "response.output_audio_transcript.done", **ids, "transcript": part["transcript"]})
        await self.send({"type": "response.output_item.done", "response_id": response["id"], "item": item})

    async def _call(self, call: Call, response: Event) -> None:
        known = {"name": call.name, "call_id": call.call_id, "arguments": call.arguments}
        item: Event = {"id": self._id("item"), "type": "function_call", **known}
        self.items.append(item)
        response["output"].append(item)
        shown = {**item, "arguments": ""}
        await self.send({"type": "response.output_item.added", "response_id": response["id"], "item": shown})
        await self.send({"type": "response.output_item.done", "response_id": response["id"], "item": item})

    async def _end(self, response: Event, status: str, details: Event) -> None:
        self._active = None
        usage = {
            "total_tokens": 30,
            "input_tokens": 20,
            "output_tokens": 10,
            "input_token_details": {"text_tokens": 5, "audio_tokens": 12, "image_tokens": 0, "cached_tokens": 3},
            "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
        }
        done = {"id": response["id"], "status": status, "status_details": details, "output": [], "usage": usage}
        await self.send({"type": "response.done", "response": done})

    def _find(self, item_id: str) -> Event | None:
        return next((item for item in self.items if item["id"] == item_id), None)

    def _id(self, kind: str) -> str:
        return f"{kind}_up{next(self._numbers)}"


def _words(item: Event) -> str:
    parts = (part.get("text") or part.get("transcript") or f"{part.get('audio_ms')} ms" for part in item["content"])
    return "".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A fake of OpenAI's Realtime protocol, for local use")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=50.0, help="before each word")
    parser.add_argument("--text", default="", help="the answer; else numbered words")
    parser.add_argument("--quiet", action="store_true", help="tell nothing but the address")
    parser.add_argument("--words", type=int, default=60, help="how many numbered words")
    return parser.parse_args()


async def _main(arguments: argparse.Namespace) -> None:
    text = arguments.text or " ".join(f"word{number}" for number in range(arguments.words))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    answer = Answer(text, delay_s=arguments.delay_ms / 1000)
    tell = None if arguments.quiet else lambda event: _say(json.dumps(event))
    async with FakeRealtime(answer, port=arguments.port, tell=tell) as server:
        _say(f"listening on {server.base_url}")
        await stopped.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
