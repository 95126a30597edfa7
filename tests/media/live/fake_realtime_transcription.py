"""A real WebSocket server on loopback that speaks a Realtime transcription session, and misbehaves as it is told."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from media.frames import Pcm, from_bytes

Fault = Literal[
    "",
    "odd ids",
    "repeats",
    "no session",
    "refused session",
    "no answer",
    "close",
    "drop",
    "error",
    "failed",
    "garbage",
    "binary",
    "deaf",
]
"""``no session``: nothing comes after the handshake. ``refused session``: an error answers ``session.update``. When
sound comes, ``close`` closes, ``drop`` resets the connection, ``deaf`` reads nothing more. A commit is answered with
nothing (``no answer``), an ``error`` event, a ``failed`` one, what is no event (``garbage``, ``binary``), or after
events about nothing whose ids are none (``odd ids``), or about what was committed before (``repeats``)."""

SECRET_WORDS = "words that only the user should read"


@dataclass(slots=True)
class Session:
    """One connection, as the server saw it."""

    path: str
    authorization: str
    update: Mapping[str, Any] = field(default_factory=dict)
    sound: list[bytes] = field(default_factory=list)
    """What was appended since the last commit."""

    committed: list[Pcm] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class FakeTranscription:
    """Says *texts* one after another, whatever it hears; words come while they are heard with *streams*."""

    def __init__(
        self, *texts: str, fault: Fault = "", status: int = 0, streams: bool = False, gate: asyncio.Event | None = None
    ) -> None:
        """With *status* each handshake is answered by that; *gate* is waited for before each answer to a commit."""
        self.texts = list(texts)
        self.fault = fault
        self.status = status
        self.streams = streams
        self.gate = gate
        self.sessions: list[Session] = []
        self.handshakes = 0
        self._items = 0
        self._news = asyncio.Condition()
        self._server: Server | None = None
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeTranscription"]:
        """Listen; again on the same port when it did before."""
        async with serve(
            self._serve, "127.0.0.1", self.port, process_request=self._greet, close_timeout=0.1
        ) as self._server:
            self.port = next(iter(self._server.sockets)).getsockname()[1]
            yield self

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def until(self, session: int, kind: str, count: int = 1) -> Session:
        """That session, as soon as so many events of that type have come to it."""
        async with self._news:
            await self._news.wait_for(
                lambda: len(self.sessions) > session and self.sessions[session].events.count(kind) >= count
            )
        return self.sessions[session]

    async def greeted(self, count: int) -> None:
        """Wait for so many handshakes, answered or refused."""
        async with self._news:
            await self._news.wait_for(lambda: self.handshakes >= count)

    async def _greet(self, connection: ServerConnection, _: Request) -> Response | None:
        self.handshakes += 1
        async with self._news:
            self._news.notify_all()
        return connection.respond(HTTPStatus(self.status), f"{SECRET_WORDS}\n") if self.status else None

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        session = Session(socket.request.path, socket.request.headers.get("Authorization", ""))
        self.sessions.append(session)
        try:
            if self.fault == "no session":
                await socket.wait_closed()
            await self._say(socket, {"type": "session.created", "session": {"type": "transcription"}})
            async for message in socket:
                event = json.loads(message)
                await self._answer(socket, session, event)
                async with self._news:
                    session.events.append(event["type"])
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            session.closed.set()

    async def _answer(self, socket: ServerConnection, session: Session, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "session.update" if self.fault == "refused session":
                await self._say(socket, {"type": "error", "error": {"type": "x", "message": SECRET_WORDS}})
            case "session.update":
                session.update = event["session"]
                await self._say(socket, {"type": "session.updated", "session": event["session"]})
            case "input_audio_buffer.append":
                session.sound.append(base64.b64decode(event["audio"], validate=True))
                await self._heard(socket, session)
            case "input_audio_buffer.commit":
                session.committed.append(from_bytes(b"".join(session.sound)))
                session.sound.clear()
                await self._transcribe(socket)

    async def _heard(self, socket: ServerConnection, session: Session) -> None:
        match self.fault:
            case "close":
                await socket.close(1011)
            case "drop":
                socket.transport.abort()
            case "deaf":
                await socket.wait_closed()
        if self.streams and self.texts and len(session.sound) == 1:
            for word in self._words(self.texts[0])[:-1]:
                await self._transcribed(socket, "delta", delta=word)

    async def _transcribe(self, socket: ServerConnection) -> None:
        if self.gate is not None:
            await self.gate.wait()
        match self.fault:
            case "no answer":
                return
            case "error":
                await self._say(socket, {"type": "error", "error": {"type": "x", "message": SECRET_WORDS}})
                return
            case "failed":
                await self._transcribed(socket, "failed", error={"message": SECRET_WORDS})
                return
            case "garbage":
                await socket.send("{this is no event")
                return
            case "binary":
                await socket.send(b"\xff\x00")
                return
            case "odd ids":
                for odd in (None, 7, ["a"], {"a": "b"}, ""):
                    await self._say(socket, {"type": "conversation.item.added", "item_id": odd})
            case "repeats" if self._items:
                former = {"item_id": f"item_{self._items - 1}", "content_index": 0}
                for kind, said in (("delta", {"delta": "again"}), ("completed", {"transcript": "And again."})):
                    type_ = f"conversation.item.input_audio_transcription.{kind}"
                    await self._say(socket, {"type": type_, **former, **said})
        text = self.texts.pop(0) if self.texts else ""
        await self._say(socket, {"type": "input_audio_buffer.committed", "item_id": self._item})
        words = self._words(text)
        for word in words[-1:] if self.streams else words:
            await self._transcribed(socket, "delta", delta=word)
        await self._transcribed(socket, "completed", transcript=text, usage={"type": "duration", "seconds": 1})
        self._items += 1

    @staticmethod
    def _words(text: str) -> Sequence[str]:
        words = text.split()
        return [word if number == 0 else f" {word}" for number, word in enumerate(words)]

    @property
    def _item(self) -> str:
        return f"item_{self._items}"

    async def _transcribed(self, socket: ServerConnection, kind: str, **fields: Any) -> None:
        event = {"type": f"conversation.item.input_audio_transcription.{kind}", "item_id": self._item, **fields}
        await self._say(socket, {**event, "content_index": 0})

    async def _say(self, socket: ServerConnection, event: Mapping[str, Any]) -> None:
        await socket.send(json.dumps({"event_id": "event_0", **event}))


def loudness(pcm: Pcm) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))
