"""The caller of the benchmarks: a WebRTC client that looks at packets, not at what a jitter buffer makes of them.

It is the same for every server that is measured. Below the packets it is aiortc; above, it replaces aiortc's paced
sender and its receiver: a payload goes out at the moment :meth:`Caller.send` is called, and each packet is told when
it arrives. The hooks are private to aiortc 1.16.
"""

import asyncio
import json
import math
import secrets
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtp import RtpPacket

from benchmarks.relay import Relay
from media.frames import Pcm

CONNECT_TIMEOUT_S: Final = 20.0
RTP_FRAME: Final = 960

LEVEL_ID: Final = 2
LEVEL_LINE: Final = f"a=extmap:{LEVEL_ID} urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""As browsers do, aiortc offers to tell how loud each packet is; our callers keep that."""

Answer: TypeAlias = Callable[[str], Awaitable[str]]
"""Takes our offer to a server, and brings its answer."""

OnPacket: TypeAlias = Callable[[RtpPacket, float], None]
"""Told each packet and when it came, in monotonic seconds."""

OnEvent: TypeAlias = Callable[[dict[str, Any], float], None]


class _Mute(MediaStreamTrack):
    """What aiortc would send, were it asked to: nothing, ever."""

    kind = "audio"

    async def recv(self) -> Any:
        await asyncio.Event().wait()


@dataclass(slots=True)
class Caller:
    """One call. It comes from :func:`called`."""

    pc: RTCPeerConnection
    channel: Any
    on_event: OnEvent
    payload_type: int = 0
    tells_levels: bool = False
    """The other side wants to know how loud each packet is (RFC 6464)."""

    _sequence: int = 0
    _time: int = 0
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _wire: Callable[[bytes], None] | None = None

    async def opened(self) -> None:
        """Wait until events may be sent."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await self._ready.wait()

    def tell(self, kind: str, **fields: Any) -> None:
        """Send a client event."""
        self.channel.send(json.dumps({"type": kind, **fields}))

    def cut(self) -> None:
        """Cut the line: nothing goes out any more, no farewell either."""
        pair = self.pc.getTransceivers()[0].sender.transport.transport._connection._nominated.get(1)
        if pair is None:  # the other side was faster
            return
        vars(pair.protocol)["send_stun"] = lambda *_: None
        pair.protocol.transport.abort()

    def send(self, payload: bytes, level: int = 0) -> None:
        """Send the next 20 ms, *level* dB below full scale, now. Does nothing once the call is over."""
        if self._wire is None:
            self._wire = self._direct()
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._time = (self._time + RTP_FRAME) & 0xFFFFFFFF
        sender = self.pc.getTransceivers()[0].sender
        told = self.tells_levels
        extension = bytes((0xBE, 0xDE, 0, 1, LEVEL_ID << 4, level, 0, 0)) if told else b""
        head = (b"\x90" if told else b"\x80") + self.payload_type.to_bytes(1, "big") + self._sequence.to_bytes(2, "big")
        self._wire(head + self._time.to_bytes(4, "big") + sender._ssrc.to_bytes(4, "big") + extension + payload)

    def _direct(self) -> Callable[[bytes], None]:
        dtls = self.pc.getTransceivers()[0].sender.transport
        pair = dtls.transport._connection._nominated[1]
        transport, address, protect = pair.protocol.transport, pair.remote_addr, dtls._tx_srtp.protect

        def wire(packet: bytes) -> None:
            if not transport.is_closing():
                transport.sendto(protect(packet), address)

        return wire

    def _opened(self) -> None:
        self._ready.set()

    def _take(self, text: str | bytes) -> None:
        self.on_event(json.loads(text), time.monotonic())


def level_of(frame: Pcm) -> int:
    """How many dB below full scale 20 ms of sound is, as a packet says it (RFC 6464): 0 to 127."""
    power = float(np.mean(frame.astype(np.float64) ** 2)) / 32768**2
    return min(127, max(0, round(-10 * math.log10(power)))) if power else 127


@asynccontextmanager
async def called(
    answer: Answer, on_packet: OnPacket, on_event: OnEvent, relay: Relay | None = None
) -> AsyncIterator[Caller]:
    """A call that is connected, to whoever gives the *answer*; through *relay*, if there is one."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    pc.addTransceiver(_Mute(), "sendrecv")
    channel = pc.createDataChannel("oai-events")
    caller = Caller(pc, channel, on_event)
    channel.on("open", caller._opened)
    channel.on("message", caller._take)
    _listen(pc, on_packet)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await pc.setLocalDescription(await pc.createOffer())
            offer = pc.localDescription.sdp
            described = await answer(await relay.offer(offer) if relay is not None else offer)
            described = await relay.answer(described) if relay is not None else described
            caller.tells_levels = LEVEL_LINE in described
            await pc.setRemoteDescription(RTCSessionDescription(described, "answer"))
            while pc.connectionState != "connected":
                if pc.connectionState in ("failed", "closed"):
                    raise ConnectionError("the call did not come about")
                await asyncio.sleep(0.02)
        codecs = vars(pc.getTransceivers()[0])["_codecs"]
        caller.payload_type = next(codec.payloadType for codec in codecs if codec.mimeType.lower() == "audio/opus")
        yield caller
    finally:
        await pc.close()


def _listen(pc: RTCPeerConnection, on_packet: OnPacket) -> None:
    """Take each decrypted packet as it arrives, in place of aiortc's jitter buffer, decoder and thread."""
    receiver = pc.getTransceivers()[0].receiver
    started = False

    async def receive(parameters: Any) -> None:
        nonlocal started
        if not started:
            started = True
            receiver.transport._register_rtp_receiver(receiver, parameters)

    async def take(packet: RtpPacket, arrival_time_ms: int) -> None:
        on_packet(packet, time.monotonic())

    async def stop() -> None: ...

    vars(receiver).update(receive=receive, _handle_rtp_packet=take, stop=stop)


def posted(url: str, path: str = "/v1/realtime/calls?ext=bargein.v1") -> Answer:
    """Offers as OpenAI's API and ours want them: SDP in, SDP out."""

    async def answer(offer: str) -> str:
        request = urllib.request.Request(f"{url}{path}", offer.encode(), {"Content-Type": "application/sdp"})
        return (await asyncio.to_thread(_read, request)).decode()

    return answer


def posted_json(url: str, path: str) -> Answer:
    """Offers as aiortc's examples, Pipecat and FastRTC want them: ``{"sdp", "type"}`` in and out."""

    async def answer(offer: str) -> str:
        body: Mapping[str, str] = {"sdp": offer, "type": "offer", "webrtc_id": secrets.token_hex(8)}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), headers)
        return str(json.loads(await asyncio.to_thread(_read, request))["sdp"])

    return answer


def _read(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=CONNECT_TIMEOUT_S) as response:
        return bytes(response.read())
