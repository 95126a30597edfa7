"""One WebRTC connection: sound in both directions and a text channel, with no type of aiortc or PyAV in sight.

aiortc does SDP, ICE, DTLS, SRTP and RTCP. Its receive path (a jitter buffer of 80 to 300 ms, a thread and a resampler
for each call) is replaced: a packet is decoded when it arrives. What is replaced is private to aiortc 1.16: every hook
is in this module or in :mod:`media.ice`, :func:`check_hooks` knows them all, and each has a contract test.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from enum import Enum, auto
from fractions import Fraction
from functools import cache, partial
from typing import Any, Final, Self

import av
from aioice.ice import Connection, StunProtocol
from aiortc import (
    InvalidStateError,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCIceServer,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.exceptions import OperationError
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtpPacket

from media import ice, sdp
from media.channel import Channel
from media.frames import Pcm
from media.hooks import Attribute, Method, check
from media.ice import Line
from media.opus import Decoder, Encoder
from media.peering import CHANNEL, Ears, IceServer, PeerError, PeerOptions, PeerStats, Pull, Reason
from media.rtp import RTP_RATE_HZ, Inbound, Outbound

__all__ = ["CHANNEL", "Ears", "IceServer", "Peer", "PeerError", "PeerOptions", "PeerStats", "Pull", "Reason"]

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 2.0

MAX_SOURCES: Final = 8
"""Streams (SSRC) one call may have had. A browser needs one, and each costs memory in three libraries."""

_TIME_BASE: Final = Fraction(1, RTP_RATE_HZ)
_DEFAULTS: Final = PeerOptions()
_CONNECTION: Final = "_RTCPeerConnection__"
_RECEIVER: Final = "_RTCRtpReceiver__"
_SENDER: Final = "_RTCRtpSender__"

_HOOKS: Final = (
    Method(RTCPeerConnection, f"{_CONNECTION}connect"),
    Method(RTCRtpReceiver, "receive", ("parameters",)),
    Method(RTCRtpReceiver, "_handle_rtp_packet", ("packet", "arrival_time_ms")),
    Method(RTCRtpReceiver, "_run_rtcp"),
    Method(RTCDtlsTransport, "_register_rtp_receiver", ("receiver", "parameters")),
    Method(StreamStatistics, "add", ("packet",)),
    Attribute(RTCRtpReceiver, f"{_RECEIVER}started"),
    Attribute(RTCRtpReceiver, f"{_RECEIVER}rtcp_task"),
    Attribute(RTCRtpReceiver, f"{_RECEIVER}remote_streams"),
    Attribute(RTCRtpSender, f"{_SENDER}rtt"),
    Attribute(RTCIceTransport, "_connection"),
    Method(Connection, "get_component_candidates", ("component", "addresses", "timeout")),
    Method(Connection, "query_consent"),
    Method(StunProtocol, "datagram_received", ("data", "addr")),
    Attribute(Connection, "_closing"),
    Attribute(Connection, "_protocols"),
)

_UNREADABLE: Final = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What aiortc raises for a description it cannot make sense of: it checks with assertions and look-ups."""


class _State(Enum):
    CONNECTING = auto()
    CONNECTED = auto()
    CLOSED = auto()


@cache
def check_hooks() -> None:
    """Check that each private part of aiortc and aioice which is replaced is there, with the parameters expected.

    Raises :class:`PeerError` (``missing_hook``) that names the first which is not.
    """
    check(_HOOKS)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OperationError as error:
        raise PeerError("unsupported_codec", "the session description has a section without a common codec") from error
    except _UNREADABLE as error:
        raise PeerError("invalid_sdp", "the session description cannot be read") from error


class _Voice(MediaStreamTrack):
    """What aiortc sends. A subclass because aiortc asks for one."""

    kind = "audio"

    def __init__(self, outbound: Outbound) -> None:
        super().__init__()
        self.outbound = outbound

    async def recv(self) -> "av.Packet[Any]":
        payload, rtp_time = await self.outbound.next()
        packet = av.Packet(payload)
        packet.pts = rtp_time
        packet.time_base = _TIME_BASE
        return packet


class _Receiver:
    """Takes the place of what is behind an aiortc receiver, from the decrypted packet on."""

    def __init__(self, receiver: RTCRtpReceiver, inbound: Inbound, on_flood: Callable[[], None]) -> None:
        self.inbound = inbound
        self._receiver = receiver
        self._on_flood = on_flood
        self._loop = asyncio.get_running_loop()
        self._source = 0
        # aiortc's own table: it makes the receiver reports from it.
        self._streams: dict[int, StreamStatistics] = vars(receiver)[f"{_RECEIVER}remote_streams"]
        vars(receiver).update(receive=self._start, _handle_rtp_packet=self._take)

    async def _start(self, parameters: RTCRtpReceiveParameters) -> None:
        """As aiortc does, without the thread that decodes."""
        hidden = vars(self._receiver)
        if not hidden[f"{_RECEIVER}started"]:
            self._receiver.transport._register_rtp_receiver(self._receiver, parameters)
            hidden[f"{_RECEIVER}rtcp_task"] = asyncio.ensure_future(self._receiver._run_rtcp())
            hidden[f"{_RECEIVER}started"] = True

    async def _take(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            if len(self._streams) == MAX_SOURCES:
                self._on_flood()
                return
            stream = self._streams[packet.ssrc] = StreamStatistics(RTP_RATE_HZ)
            self._source = packet.ssrc
            self.inbound.restart()
        stream.add(packet)
        if packet.ssrc == self._source:
            self.inbound.receive(packet.sequence_number, packet.timestamp, packet.payload, self._loop.time())

    def stats(self, sent: int, round_trip_ms: float | None) -> PeerStats:
        lost = sum(each.packets_lost for each in self._streams.values())
        jitter = self._streams[self._source].jitter if self._streams else 0
        counts = asdict(self.inbound.counts)
        return PeerStats(
            sent=sent, lost=lost, jitter_ms=jitter * 1000 / RTP_RATE_HZ, round_trip_ms=round_trip_ms, **counts
        )


def _connection(configuration: RTCConfiguration) -> RTCPeerConnection:
    pc = RTCPeerConnection(configuration)
    connect = vars(RTCPeerConnection)[f"{_CONNECTION}connect"]

    async def connect_while_open() -> None:
        # It runs in a task nobody looks at, and stumbles when the connection is closed under it.
        with suppress(InvalidStateError):
            await connect(pc)

    vars(pc)[f"{_CONNECTION}connect"] = connect_while_open
    return pc


async def _stop(pc: RTCPeerConnection) -> None:
    await pc.close()
    # A handshake that ends while the connection closes starts them once more.
    for transceiver in pc.getTransceivers():
        await transceiver.stop()


class Peer:
    """One connection to one other side. It comes from :meth:`accept` or :meth:`offer`, and lasts until it is closed."""

    def __init__(self, ears: Ears, pull: Pull, options: PeerOptions, bundle: RTCBundlePolicy) -> None:
        check_hooks()
        self.id: Final = secrets.token_hex(4)
        """Names the peer in logs."""
        self._ears = ears
        self._options = options
        self._state = _State.CONNECTING
        self._settled = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._channel = Channel()
        self._line = Line(self._lost)
        self._voice = _Voice(Outbound(pull, Encoder(options.send_rate_hz, options.bitrate_bps)))
        decoder = Decoder(options.receive_rate_hz)
        servers = [RTCIceServer(each.url, each.username, each.credential) for each in options.ice_servers]
        self._pc = _connection(RTCConfiguration(iceServers=servers, bundlePolicy=bundle))
        self._transceiver = self._pc.addTransceiver(self._voice, "sendrecv")
        capabilities = get_capabilities("audio").codecs
        self._transceiver.setCodecPreferences([each for each in capabilities if each.mimeType == "audio/opus"])
        inbound = Inbound(decoder, self._hear)
        self._receiver = _Receiver(self._transceiver.receiver, inbound, partial(self._finish, "failed"))
        self._voice.on("ended", self._muted)
        self._pc.on("connectionstatechange", self._look)
        self._pc.on("datachannel", self._adopt)

    @classmethod
    async def accept(cls, offer_sdp: str, ears: Ears, pull: Pull, options: PeerOptions = _DEFAULTS) -> Self:
        """Answer an offer; :attr:`answer_sdp` is what the other side needs to connect.

        Raises :class:`PeerError`: ``invalid_sdp``, ``unsupported_codec``.
        """
        remote = sdp.read(offer_sdp, private=options.private_candidates)
        peer = cls(ears, pull, options, RTCBundlePolicy.BALANCED)
        async with peer._building():
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

        Raises :class:`PeerError`: ``invalid_sdp``, ``unsupported_codec``, ``closed``.
        """
        if self._state is _State.CLOSED:
            raise PeerError("closed", "the peer is closed")
        remote = sdp.read(answer_sdp, private=True)
        with _reading():
            await self._pc.setRemoteDescription(RTCSessionDescription(remote.sdp, "answer"))
        self._expect(remote)

    @property
    def offer_sdp(self) -> str:
        """Our description, in the role that offers."""
        return self._pc.localDescription.sdp

    @property
    def answer_sdp(self) -> str:
        """Our description, in the role that answers."""
        return self._pc.localDescription.sdp

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

    def stats(self) -> PeerStats:
        """The counts so far; also of a peer that is closed."""
        round_trip_s: float | None = vars(self._transceiver.sender)[f"{_SENDER}rtt"]
        # The clocks of both sides are read at different moments: on a short way the difference may come out negative.
        round_trip_ms = None if round_trip_s is None else max(round_trip_s, 0.0) * 1_000
        return self._receiver.stats(self._voice.outbound.sent, round_trip_ms)

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
            await self._shut()
            raise

    async def _describe(self, description: RTCSessionDescription) -> None:
        transports = {each.receiver.transport.transport for each in self._pc.getTransceivers()}
        if self._pc.sctp is not None:
            transports.add(self._pc.sctp.transport.transport)
        for transport in transports:
            ice.mend(transport._connection)
        described = RTCSessionDescription(sdp.prefer_mono(description.sdp), description.type)
        await self._pc.setLocalDescription(described)
        for transport in transports:
            ice.guard(transport._connection, self._line)
        self._transceiver.receiver.transport.on("statechange", self._look)

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
            self._line.watch(self._options.silence_timeout_s)
            log.info("peer connected", extra={"peer": self.id})

    def _lost(self) -> None:
        self._finish("failed" if self._state is _State.CONNECTING else "disconnected")

    def _muted(self) -> None:
        # aiortc ends the track with the connection, and also when it could not send a packet of it.
        if self._transceiver.sender.transport.state == "connected":
            self._finish("failed")

    def _finish(self, reason: Reason) -> None:
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        self._settled.set()
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

    def _adopt(self, channel: RTCDataChannel) -> None:
        def opened() -> None:
            self._channel.open(channel)
            if self._state is not _State.CLOSED:
                self._ears.on_channel_open()

        def message(text: str | bytes) -> None:
            if isinstance(text, str) and self._state is not _State.CLOSED:
                self._ears.on_message(text)

        if channel.label != CHANNEL or self._channel.usable:
            channel.close()
        else:
            channel.on("message", message)
            channel.on("open", opened)
            # The other side's channel arrives open, without an event.
            if channel.readyState == "open":
                opened()
