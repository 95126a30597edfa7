"""Connections without a network, in virtual time: what a client would send and get, as JSON."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gateway.core import inputs as inp
from gateway.core.ids import DeviceId, LegId
from gateway.core.values import Settings
from gateway.protocol.decoding import Limits
from gateway.runtime.actor import Actor
from gateway.runtime.ports import Agent
from gateway.runtime.scripted import ScriptedVoice
from gateway.transports.admission import Admission, Limits as Places
from gateway.transports.config import ConnectionConfig
from gateway.transports.connection import Connection, Services
from gateway.transports.pump import SocketPump
from gateway.transports.telling import Caller
from gateway.transports.voice import Voice
from gateway.transports.websocket import DEVICE_MS
from media.frames import VOICE_RATE_HZ
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.runtime.stage import GatedStore, Stage, stage
from tests.transports.inbox import Inbox, Json

LEAD_MS: Final = 1000


@dataclass(slots=True)
class Client:
    """One end of a connection. Everything it was sent is in its ``inbox``."""

    connection: Connection
    inbox: Inbox = field(default_factory=Inbox)
    pump: asyncio.Task[None] | None = None

    @property
    def got(self) -> list[Json]:
        return self.inbox.got

    @property
    def closed(self) -> list[int]:
        return self.inbox.closed

    def types(self, after: int = 0) -> list[str]:
        return self.inbox.types(after)

    def all(self, kind: str) -> list[Json]:
        return self.inbox.all(kind)

    async def get(self, kind: str, count: int = 1) -> Json:
        return await self.inbox.get(kind, count)

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event, and wait until the connection has taken it."""
        await self.connection.receive(json.dumps({"type": kind, **fields}))

    async def say(self, text: str, **fields: Any) -> None:
        """Type a message."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item, **fields)

    async def ask(self, text: str, **fields: Any) -> None:
        """Type a message, and ask for an answer."""
        await self.say(text)
        await self.send("response.create", **fields)

    async def sound(self, ms: int, *, loud: bool) -> None:
        """Send sound, 20 ms at a time, as time passes."""
        tone = 8000 * np.sin(2 * np.pi * 500 * np.arange(VOICE_RATE_HZ // 50) / VOICE_RATE_HZ)
        pcm = (tone * loud).astype("<i2")
        for _ in range(ms // 20):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm.tobytes()).decode())
            await asyncio.sleep(0.02)

    async def leave(self) -> None:
        """Disconnect."""
        if self.pump is not None:
            self.pump.cancel()
        await self.connection.aclose()


@dataclass(slots=True)
class Line:
    """A gateway without its network."""

    on: Stage
    services: Services
    engines: Engines | None
    _legs: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def open(self, **settings: Any) -> Actor:
        """A new session."""
        return await self.on.registry.open(Settings(**settings))

    async def connect(
        self,
        actor: Actor,
        *,
        extended: bool = False,
        resume: tuple[str, int] | None = None,
        modalities: Sequence[str] | None = None,
    ) -> Client:
        """A WebSocket's connection, brought up to date."""
        number = next(self._legs)
        caller = Caller(DeviceId(f"device_{number}"), LegId(f"leg_{number}"), extended, resume)
        config = ConnectionConfig(tuple(modalities or (("text",) if extended else ("audio",))))
        connection = Connection(
            self.services,
            actor,
            caller,
            config,
            holds_sound=False,
            send=lambda text: client.inbox.take(json.loads(text)),
            close=lambda code: client.inbox.end(code),
        )
        client = Client(connection)
        connection.takes_audio = True
        connection.make_voice = lambda: self._voice(client)
        await connection.open()
        return client

    def _voice(self, client: Client) -> Voice:
        connection = client.connection
        assert self.engines is not None
        pump = SocketPump(
            connection.teller.tell_sound,
            lead_ms=LEAD_MS,
            client_pauses=connection.caller.extended,
            form=lambda: connection.config.output_format,
        )
        voice = Voice(
            connection.actor,
            connection.origin,
            self.engines,
            self.services.clock.now,
            turns=connection.config.turns,
            client_buffer_ms=DEVICE_MS,
            on_sound=pump.sounds,
            recalls=connection.caller.extended,
            room=self.services.rooms.of(connection.actor),
        )
        client.pump = asyncio.create_task(pump.run(voice))
        return voice


@asynccontextmanager
async def line(
    agent: Agent | None = None, store: GatedStore | None = None, *, hears: Sequence[str | None] | None = None
) -> AsyncIterator[Line]:
    """A gateway; with *hears* one that has engines, and recognises these texts."""
    engines = None
    if hears is not None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(*hears), LoudnessModel)
    async with stage(agent, store, verify=False) as on:
        services = Services(
            on.registry,
            on.store,
            on.clock,
            Limits(),
            engines,
            {"agent": "scripted", "recognizer": "scripted" if engines else None},
            Admission(Places()),
        )
        yield Line(on, services, engines)


def add_voice(client: Client, *, revocable: bool = True) -> ScriptedVoice:
    """Give a connection a mouth without sound."""
    voice = ScriptedVoice()
    client.connection.actor.add_voice(client.connection.origin, voice, revocable=revocable)
    return voice


def report(client: Client, input: inp.Input) -> None:
    """Tell what a client's ears heard or how its loudspeaker moved."""
    client.connection.actor.post(input, client.connection.origin)


def update(**session: Any) -> Json:
    """The fields of a ``session.update``."""
    return {"session": {"type": "realtime", **session}}


@dataclass(slots=True)
class Mirror:
    """The conversation as a careful client keeps it. Complains when an event does not fit what came before."""

    seq: int = 0
    items: dict[str, Json] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    """Responses and their status."""

    sounding: set[str] = field(default_factory=set)
    siblings: dict[str, list[str]] = field(default_factory=dict)
    epoch: str = ""

    @classmethod
    def of(cls, events: Sequence[Json]) -> "Mirror":
        mirror = cls()
        for event in events:
            mirror.apply(event)
        return mirror

    def apply(self, event: Json) -> None:
        """Take one event of the server."""
        if "prev_seq" in event:
            assert event["prev_seq"] == self.seq < event["seq"], event
            self.seq = event["seq"]
        match event["type"]:
            case "session.created":
                self.seq = event["session"]["bargein"]["seq"]
            case "session.snapshot":
                self.seq = event["seq"]
                self.items, self.texts = {}, {}
                self.siblings = {it["id"]: it["siblings"]["ids"] for it in event["items"] if "siblings" in it}
                for item in event["items"]:
                    self._put(item)
            case "conversation.item.added" | "conversation.item.done" | "response.output_item.done":
                assert event.get("previous_item_id") is None or event["previous_item_id"] in self.items, event
                self._put(event["item"])
            case "conversation.item.deleted":
                del self.items[event["item_id"]], self.texts[event["item_id"]]
            case "conversation.siblings":
                self.siblings = {item_id: it["ids"] for item_id, it in event["siblings"].items()}
            case "response.created" | "response.done":
                self.running[event["response"]["id"]] = event["response"]["status"]
            case "output_audio_buffer.started":
                self.sounding.add(event["response_id"])
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                self.sounding.discard(event["response_id"])
            case _:
                self._text(event)

    def _text(self, event: Json) -> None:
        match event["type"]:
            case "response.output_text.delta" | "response.output_audio_transcript.delta":
                known = self.texts[event["item_id"]]
                if event.get("replay"):
                    assert event["offset"] <= len(known) or event["offset"] == 0, event
                    known = known[: event["offset"]]
                assert event["offset"] == len(known), event
                self.texts[event["item_id"]] = known + event["delta"]
            case "response.output_text.done":
                self.texts[event["item_id"]] = event["text"]
            case "response.output_audio_transcript.done":
                self.texts[event["item_id"]] = event["transcript"]
            case "conversation.item.truncated" if "heard_text" in event:
                self.texts[event["item_id"]] = event["heard_text"]
            case "conversation.item.input_audio_transcription.completed":
                self.texts[event["item_id"]] = event["transcript"]
            case _:
                pass

    def _put(self, item: Json) -> None:
        self.items[item["id"]] = item
        if item["content"] or item["id"] not in self.texts:
            self.texts[item["id"]] = "".join(
                part.get("text") or part.get("transcript") or "" for part in item["content"]
            )
