"""A gateway small enough to know what it will do, on real sockets. Its clock is the caller's microphone.

It hears a turn in any loud frames, answers each with a tone, falls silent at the first loud frame over an answer,
cuts at the fifth, and lets the answer go on after three quiet ones.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, from_bytes, silence
from media.levels import peak
from media.peer import Peer
from media.peer.peering import PeerOptions, Reason

LOUD = 300
TURN_ENDS_AFTER = 10
CUTS_AFTER = 5
RESUMES_AFTER = 3
LEAD = 10
"""Frames that a WebSocket client gets ahead of time."""


def tone(ms: int, hz: float = 440, amplitude: int = 8000) -> Pcm:
    """A tone at 24 kHz that begins with a loud sample."""
    phase = 2 * np.pi * hz * np.arange(ms * 24) / VOICE_RATE_HZ
    pcm: Pcm = np.rint(amplitude * np.cos(phase)).astype(np.int16)
    return pcm


@dataclass(slots=True)
class Conversation:
    """The gateway's side of one connection: a frame in, the events it causes out."""

    answer_ms: int
    lead: int = 0
    heard: list[Pcm] = field(default_factory=list)
    sound: list[Pcm] = field(default_factory=list)
    """What waits to be sent."""

    answers: int = 0
    turn: bool = False
    loud: int = 0
    quiet: int = 0
    ahead: int = 0
    sounding: bool = False
    paused: bool = False

    def hear(self, pcm: Pcm) -> list[dict[str, Any]]:
        loud = peak(pcm) > LOUD
        self.heard.append(pcm)
        self.quiet = 0 if loud else self.quiet + 1
        if self.sounding:
            return self._over_the_answer(loud)
        if loud and not self.turn:
            self.turn = True
            return [{"type": "input_audio_buffer.speech_started", "item_id": f"item_u{self.answers}"}]
        return self._reply() if self.turn and self.quiet >= TURN_ENDS_AFTER else []

    def frames(self) -> list[Pcm]:
        """What is to be sent in this tick."""
        self.ahead = max(0, self.ahead - 1)
        taken: list[Pcm] = []
        while self.sound and not self.paused and self.ahead <= self.lead:
            taken.append(self.sound.pop(0))
            self.ahead += 1
        return taken

    def _over_the_answer(self, loud: bool) -> list[dict[str, Any]]:
        self.loud += loud
        response_id = f"resp_{self.answers}"
        if not self.paused and loud:
            self.paused = True
            return [
                {"type": "input_audio_buffer.speech_suspected", "audio_start_ms": 0},
                {"type": "output_audio_buffer.paused", "response_id": response_id},
            ]
        if self.paused and self.loud >= CUTS_AFTER:
            return self._cut(response_id)
        if self.paused and self.quiet >= RESUMES_AFTER:
            self.paused, self.loud = False, 0
            return [
                {"type": "input_audio_buffer.speech_dismissed"},
                {"type": "output_audio_buffer.resumed", "response_id": response_id},
            ]
        if not self.sound and not self.ahead:
            self.sounding = False
            return [{"type": "output_audio_buffer.stopped", "response_id": response_id}]
        return []

    def _cut(self, response_id: str) -> list[dict[str, Any]]:
        item_id = f"item_a{self.answers}"
        self.sounding = self.paused = False
        self.turn, self.loud, self.ahead = True, 0, 0
        self.sound.clear()
        return [
            {"type": "input_audio_buffer.speech_started", "item_id": f"item_u{self.answers}"},
            {"type": "output_audio_buffer.cleared", "response_id": response_id},
            {
                "type": "conversation.item.truncated",
                "item_id": item_id,
                "audio_end_ms": 100,
                "heard_text": f"Answer {self.answers}",
                "unheard_text": " is a tone.",
            },
        ]

    def _reply(self) -> list[dict[str, Any]]:
        user = {"item_id": f"item_u{self.answers}"}
        self.answers += 1
        self.turn, self.sounding, self.loud = False, True, 0
        whole = tone(self.answer_ms, 1000)
        self.sound = [whole[at : at + VOICE_FRAME] for at in range(0, len(whole), VOICE_FRAME)]
        response_id, item_id = f"resp_{self.answers}", f"item_a{self.answers}"
        part = {"response_id": response_id, "item_id": item_id}
        text = f"Answer {self.answers} is a tone."
        modalities = ["audio"]
        return [
            {"type": "input_audio_buffer.speech_stopped", **user},
            {"type": "input_audio_buffer.committed", **user},
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "a tone", **user},
            {"type": "response.created", "response": {"id": response_id, "output_modalities": modalities}},
            {"type": "response.output_item.added", "response_id": response_id, "item": {"id": item_id}},
            {"type": "response.output_audio_transcript.delta", "delta": text, **part},
            {"type": "output_audio_buffer.started", "response_id": response_id},
            {"type": "response.output_audio_transcript.done", "transcript": text, **part},
            {"type": "response.done", "response": {"id": response_id, "status": "completed"}},
        ]


@dataclass(slots=True)
class WebSocketGateway:
    """Serves conversations over WebSocket. *hangs_up_after* events it closes the connection."""

    answer_ms: int = 1000
    hangs_up_after: int | None = None
    conversations: list[Conversation] = field(default_factory=list)
    subprotocols: list[str | None] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and authorization of each connection."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with serve(self._serve, "127.0.0.1", 0, subprotocols=["bargein.v1"]) as server:  # type: ignore[list-item]
            host, port = next(iter(server.sockets)).getsockname()
            yield f"http://{host}:{port}"

    async def _serve(self, socket: ServerConnection) -> None:
        conversation = Conversation(self.answer_ms, lead=LEAD)
        self.conversations.append(conversation)
        self.subprotocols.append(socket.subprotocol)
        assert socket.request is not None
        self.requests.append((socket.request.path, socket.request.headers.get("Authorization")))
        await socket.send(json.dumps({"type": "session.created", "session": {"id": "sess_1"}}))
        taken = 0
        async for message in socket:
            taken += 1
            event = json.loads(message)
            if taken == self.hangs_up_after:
                return
            if event["type"] == "session.update":
                await socket.send(json.dumps({"type": "session.updated", "session": event["session"]}))
                continue
            for told in conversation.hear(from_bytes(b64decode(event["audio"]))):
                await socket.send(json.dumps(told))
            for frame in conversation.frames():
                sound = {"delta": b64encode(frame.tobytes()).decode(), "response_id": f"resp_{conversation.answers}"}
                await socket.send(json.dumps({"type": "response.output_audio.delta", **sound}))


@dataclass(slots=True)
class WebRtcGateway:
    """Answers one call, whose offer comes by HTTP. Implements the ears of its peer."""

    answer_ms: int = 1000
    status: str = "201 Created"
    conversation: Conversation = field(init=False)
    request: str = ""
    peer: Peer | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.conversation = Conversation(self.answer_ms)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._call, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            yield f"http://{host}:{port}"
        if self.peer is not None:
            await self.peer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
        offer = (await reader.readexactly(length)).decode()
        self.request = head
        if self.status.startswith("201"):
            options = PeerOptions(receive_rate_hz=VOICE_RATE_HZ)
            self.peer = await Peer.accept(offer, self, self._pull, options)
            body = self.peer.answer_sdp
        else:
            body = '{"error": {"code": "voice_unavailable", "message": "This gateway serves text alone."}}'
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _pull(self) -> Pcm | None:
        frames = self.conversation.frames()
        return frames[0] if frames else None

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        for told in self.conversation.hear(pcm if len(pcm) else silence(VOICE_FRAME)):
            self._tell(told)

    def attentive(self) -> bool:
        return True

    def on_repair(self, pcm: Pcm) -> None: ...

    def on_channel_open(self) -> None:
        self._tell({"type": "session.created", "session": {"id": "sess_1"}})

    def on_message(self, text: str) -> None:
        pass

    def on_closed(self, reason: Reason) -> None:
        self.closed.set()

    def _tell(self, event: dict[str, Any]) -> None:
        assert self.peer is not None
        self.peer.send(json.dumps(event))
