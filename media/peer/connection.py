"""One WebRTC connection: sound in both directions and a text channel, with no type of aiortc or PyAV in sight.

aiortc does SDP, ICE, DTLS, SRTP and RTCP. The media between them is ours (:mod:`media.peer.direct`) unless aiortc has
changed under it (:mod:`media.peer.hooks`) or its own is wanted (:mod:`media.peer.stock`).
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import Enum, auto
from functools import partial
from typing import Final, Self

from aiortc import (
    InvalidStateError,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.exceptions import OperationError

from media.frames import Pcm
from media.peer import fragments, ice, sdp
from media.peer.channel import Channel
from media.peer.direct import Direct
from media.peer.hooks import CONNECTION, has_media, has_network
from media.peer.ice import Line
from media.peer.negotiation import want, with_levels, with_packet_time
from media.peer.peering import CHANNEL, Ears, PeerError, PeerOptions, PeerStats, Pull, Reason
from media.peer.stock import Stock

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 2.0

_DEFAULTS: Final = PeerOptions()
_UNREADABLE: Final = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What aiortc raises for a description it cannot make sense of: it checks with assertions and look-ups."""


class _State(Enum):
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OperationError as error:
        raise PeerError("unsupported_codec", "the session description has a section without a common codec") from error
    except _UNREADABLE as error:
        raise PeerError("invalid_sdp", "the session description cannot be read") from error


def _connection(configuration: RTCConfiguration) -> RTCPeerConnection:
    pc = RTCPeerConnection(configuration)
    if not has_network():
        return pc
    connect = vars(RTCPeerConnection)[f"{CONNECTION}connect"]

    async def connect_while_open() -> None:
        # It runs in a task nobody looks at, and stumbles when the connection is closed under it.
        with suppress(InvalidStateError):
            await connect(pc)

    vars(pc)[f"{CONNECTION}connect"] = connect_while_open
    return pc


async def _stop(pc: RTCPeerConnection) -> None:
    await pc.close()
    # A handshake that ends while the connection closes starts them once more.
    for transceiver in pc.getTransceivers():
        await transceiver.stop()


class Peer:
    """One connection to one other side. It comes from :meth:`accept` or :meth:`offer`, and lasts until it is closed."""

    def __init__(self, ears: Ears, pull: Pull, options: PeerOptions, bundle: RTCBundlePolicy) -> None:
        self.id: Final = secrets.token_hex(4)
        """Names the peer in logs."""
        self._ears = ears
        self._options = options
        self._state = _State.CONNECTING
        self._settled = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._channel = Channel()
        self._line = Line(self._lost)
        self._level_id: int | None = None
        servers = [RTCIceServer(each.url, each.username, each.credential) for each in options.ice_servers]
        self._pc = _connection(RTCConfiguration(iceServers=servers, bundlePolicy=bundle))
        self._transceiver = self._pc.addTransceiver("audio", "sendrecv")
        capabilities = {each.mimeType: each for each in get_capabilities("audio").codecs}
        self._transceiver.setCodecPreferences([capabilities[f"audio/{name}"] for name in options.codecs])
        broken, pull = partial(self._finish, "failed"), self._line.gated(pull)
        self._media: Direct | Stock = (
            Stock(self._pc, self._transceiver, pull, self._hear, options, broken)
            if options.media == "stock" or not has_media()
            else Direct(self._transceiver, pull, self._hear, self._mend, ears.attentive, options, broken)
        )
        self._pc.on("connectionstatechange", self._look)
        self._pc.on("datachannel", self._adopt)

    @classmethod
    async def accept(cls, offer_sdp: str, ears: Ears, pull: Pull, options: PeerOptions = _DEFAULTS) -> Self:
        """Answer an offer; :attr:`answer_sdp` is what the other side needs to connect.

        Raises :class:`PeerError`: ``invalid_sdp``, ``unsupported_codec``, ``unsupported_ptime``, ``no_udp_port``.
        """
        remote = sdp.read(offer_sdp, private=options.private_candidates, codecs=options.codecs)
        peer = cls(ears, pull, options, RTCBundlePolicy.BALANCED)
        async with peer._building():
            if isinstance(peer._media, Direct):
                peer._level_id = remote.level_id
                peer._media.expect_levels(remote.level_id)
            await peer._pc.setRemoteDescription(RTCSessionDescription(remote.sdp, "offer"))
            for other in peer._pc.getTransceivers()[1:]:
                other.direction = "inactive"
            await peer._describe(await peer._pc.createAnswer())
        peer._expect(remote)
        return peer

    @classmethod
    async def offer(cls, ears: Ears, pull: Pull, options: PeerOptions = _DEFAULTS) -> Self:
        """Make an offer, :attr:`offer_sdp`; :meth:`connect` takes the answer to it."""
        peer = cls(ears, pull, options, RTCBundlePolicy.MAX_BUNDLE)
        async with peer._building():
            peer._adopt(peer._pc.createDataChannel(CHANNEL))
            await peer._describe(await peer._pc.createOffer())
        return peer

    async def connect(self, answer_sdp: str) -> None:
        """Take the answer to our offer; the connection then comes up by itself.

        Raises :class:`PeerError`: ``invalid_sdp``, ``unsupported_codec``, ``unsupported_ptime``, ``closed``.
        """
        if self._state is _State.CLOSED:
            raise PeerError("closed", "the peer is closed")
        remote = sdp.read(answer_sdp, private=True, codecs=self._options.codecs, answer=True)
        with _reading():
            await self._pc.setRemoteDescription(RTCSessionDescription(remote.sdp, "answer"))
        self._expect(remote)

    @property
    def offer_sdp(self) -> str:
        """Our description, in the role that offers."""
        return self._described

    @property
    def answer_sdp(self) -> str:
        """Our description, in the role that answers."""
        return self._described

    @property
    def _described(self) -> str:
        text = with_levels(self._pc.localDescription.sdp, self._level_id)
        return with_packet_time(sdp.announce(text, self._options.public_address))

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until sound flows. Raises :class:`PeerError`: ``connect_timeout``, ``closed``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            raise PeerError("connect_timeout", f"there is no connection after {timeout_s} s") from None
        if self._state is _State.CLOSED:
            raise PeerError("closed", "the peer is closed")

    def send(self, text: str) -> None:
        """Send *text* on the channel, or keep it until the channel opens.

        Raises :class:`PeerError`: ``closed``, ``channel_closed``, ``channel_full``, ``message_too_large``.
        """
        if self._state is _State.CLOSED:
            raise PeerError("closed", "the peer is closed")
        self._channel.send(text)

    @property
    def message_bytes(self) -> int:
        """How long a message the other side takes; 0 for any length."""
        return self._channel.max_message_bytes

    @property
    def waiting_bytes(self) -> int:
        """How much of what was sent is not on its way yet."""
        return self._channel.waiting_bytes

    def stats(self) -> PeerStats:
        """The counts so far; also of a peer that is closed."""
        return self._media.stats()

    async def close(self) -> None:
        """End the connection and free what it holds, within :data:`CLOSE_TIMEOUT_S`. Calling it twice is harmless."""
        self._finish("closed")
        if self._closing is not None:
            await asyncio.shield(self._closing)

    @asynccontextmanager
    async def _building(self) -> AsyncIterator[None]:
        try:
            with _reading():
                yield
        except BaseException:
            self._state = _State.CLOSED
            self._media.stop()
            await self._shut()
            raise

    async def _describe(self, description: RTCSessionDescription) -> None:
        text = want(description.sdp, self._options.receive_rate_hz)
        if has_network():
            await self._describe_mended(RTCSessionDescription(text, description.type))
        else:
            await self._pc.setLocalDescription(RTCSessionDescription(text, description.type))
        self._transceiver.receiver.transport.on("statechange", self._look)

    async def _describe_mended(self, description: RTCSessionDescription) -> None:
        transports = {each.receiver.transport.transport for each in self._pc.getTransceivers()}
        if self._pc.sctp is not None:
            transports.add(self._pc.sctp.transport.transport)
            fragments.bound(self._pc.sctp, self._options.max_message_bytes, partial(self._finish, "failed"))
        for transport in transports:
            ice.mend(transport._connection, self._options.ports)
        text = sdp.limit_messages(description.sdp, self._options.max_message_bytes)
        await self._pc.setLocalDescription(RTCSessionDescription(text, description.type))
        for transport in transports:
            sounds = transport is self._transceiver.receiver.transport.transport
            ice.guard(transport._connection, self._line, self._media.take if sounds else None)
        self._line.ask = partial(ice.ask, [each._connection for each in transports])

    def _expect(self, remote: sdp.Remote) -> None:
        self._channel.max_message_bytes = remote.max_message_bytes
        if self._state is _State.CONNECTING:
            self._line.allow(self._options.connect_timeout_s)

    def _look(self) -> None:
        states = {self._transceiver.receiver.transport.state, self._pc.connectionState}
        if "failed" in states:
            self._lost()
        elif "closed" in states:
            self._finish("closed")
        elif self._state is _State.CONNECTING and "connected" in states:
            self._state = _State.CONNECTED
            self._settled.set()
            self._media.connected()
            if has_network():
                self._line.watch(self._options.silence_timeout_s)
            else:
                self._line.stop()
            log.info("peer connected", extra={"peer": self.id})

    def _lost(self) -> None:
        self._finish("failed" if self._state is _State.CONNECTING else "disconnected")

    def _finish(self, reason: Reason) -> None:
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        self._settled.set()
        self._media.stop()
        self._closing = asyncio.ensure_future(self._shut())
        log.info("peer ended", extra={"peer": self.id, "reason": reason})
        self._ears.on_closed(reason)

    async def _shut(self) -> None:
        self._line.stop()
        stopping = asyncio.ensure_future(_stop(self._pc))
        await asyncio.wait({stopping}, timeout=CLOSE_TIMEOUT_S)
        if not stopping.done():
            stopping.cancel()
            log.warning("peer did not stop in time", extra={"peer": self.id})

    def _hear(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        if self._state is not _State.CLOSED:
            self._ears.on_audio(pcm, rtp_time, arrival)

    def _mend(self, pcm: Pcm) -> None:
        if self._state is not _State.CLOSED:
            self._ears.on_repair(pcm)

    def _adopt(self, channel: RTCDataChannel) -> None:
        def opened() -> None:
            self._channel.open(channel)
            if self._state is not _State.CLOSED:
                self._ears.on_channel_open()

        def message(text: str | bytes) -> None:
            if self._state is _State.CLOSED:
                return
            if len(text) > self._options.max_message_bytes:
                self._finish("failed")
            elif isinstance(text, str):
                self._ears.on_message(text)

        if channel.label != CHANNEL or self._channel.usable:
            channel.close()
        else:
            channel.on("message", message)
            channel.on("open", opened)
            # The other side's channel arrives open, without an event.
            if channel.readyState == "open":
                opened()
