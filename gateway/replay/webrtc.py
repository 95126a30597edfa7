"""A caller over WebRTC: Opus both ways, and the data channel for events."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.protocol.extension import SUBPROTOCOL
from gateway.replay.errors import ReplayError
from gateway.replay.line import CONNECT_TIMEOUT_S, Target, Witness, read_event
from gateway.replay.microphone import Microphone
from media.frames import VOICE_RATE_HZ, Pcm
from media.peer import Peer
from media.peer.peering import PeerError, PeerOptions, Reason
from media.rtp.inbound import RTP_RATE_HZ

_OPTIONS: Final = PeerOptions(send_rate_hz=VOICE_RATE_HZ, receive_rate_hz=VOICE_RATE_HZ)
_WRAP: Final = 1 << 32


@asynccontextmanager
async def webrtc_line(target: Target, microphone: Microphone, witness: Witness) -> AsyncIterator[None]:
    """A :data:`gateway.replay.line.Line` over WebRTC."""
    call = _Call(microphone, witness)
    try:
        peer = await Peer.offer(call, call.pull, _OPTIONS)
        try:
            await peer.connect(await asyncio.to_thread(_post, target, peer.offer_sdp))
            await peer.wait_connected(CONNECT_TIMEOUT_S)
            yield
        finally:
            call.over = True
            await peer.close()
    except PeerError as error:
        raise ReplayError("gateway_unreachable", f"No call with {target.netloc} came about: {error}.") from error


def _post(target: Target, offer: str) -> str:
    """Offer a call by HTTP, and return the answer's SDP. Blocks."""
    kind = http.client.HTTPSConnection if target.secure else http.client.HTTPConnection
    connection = kind(target.netloc, timeout=CONNECT_TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/sdp", **target.headers}
        connection.request("POST", f"{target.path}/calls?ext={SUBPROTOCOL}", body=offer.encode(), headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ReplayError("gateway_unreachable", f"There is no gateway at {target.netloc}.") from error
    finally:
        connection.close()
    if response.status != http.client.CREATED:
        raise ReplayError("gateway_refused", f"{target.netloc} did not take the call: {response.status} {_why(body)}")
    return body.decode(errors="replace")


def _why(body: bytes) -> str:
    error = read_event(body).get("error")
    return str(error.get("message", "")) if isinstance(error, dict) else ""


class _Call:
    """The ears and the mouth of the call: implements :class:`media.peer.peering.Ears`."""

    def __init__(self, microphone: Microphone, witness: Witness) -> None:
        self.over = False
        """True when we hang up ourselves: the end of the call is then no news."""

        self._microphone = microphone
        self._witness = witness
        self._ready = False
        self._rtp_time: int | None = None
        """RTP time of the newest packet, unwrapped."""

    def pull(self) -> Pcm | None:
        """The microphone's next 20 ms; silence until the session is ready."""
        if not self._ready:
            return None
        frame = self._microphone.take()
        self._witness.on_sent(frame, asyncio.get_running_loop().time())
        return frame.pcm

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        newest = self._rtp_time if self._rtp_time is not None else rtp_time
        step = (rtp_time - newest + _WRAP // 2) % _WRAP - _WRAP // 2
        self._rtp_time = newest + step
        self._witness.on_heard(pcm, self._rtp_time * VOICE_RATE_HZ // RTP_RATE_HZ, arrival)

    def attentive(self) -> bool:
        return True

    def on_repair(self, pcm: Pcm) -> None:
        pass

    def on_channel_open(self) -> None:
        pass

    def on_message(self, text: str) -> None:
        event, at = read_event(text), asyncio.get_running_loop().time()
        self._witness.on_event(event, at)
        if event.get("type") == "session.created" and not self._ready:
            self._ready = True
            self._witness.on_ready(at)

    def on_closed(self, reason: Reason) -> None:
        if not self.over:
            self._witness.on_lost(f"the call {reason}", asyncio.get_running_loop().time())
