"""Our own media path: a packet is decoded where its datagram arrives, and made where it leaves.

aiortc's path costs a queue, a task, a thread and a resampler for each direction and call, and a jitter buffer of 80 to
300 ms. Its RTCP stays: it reads the counters and the table of streams that are kept for it here.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from struct import Struct
from typing import Any, Final, cast

from aiortc import RTCDtlsTransport, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver, clock
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import HeaderExtensions, RtpPacket
from pylibsrtp import Error as SrtpError, Session

from media.codecs import formats
from media.codecs.codec import Encoder, Format, Name
from media.frames import Pcm
from media.peer.hooks import RECEIVER, SENDER
from media.peer.peering import PeerOptions, PeerStats, Pull
from media.rtp.doze import Doze
from media.rtp.inbound import Counts, Inbound
from media.rtp.metronome import metronome
from media.rtp.outbound import OPUS_PAUSE, Outbound

MAX_SOURCES: Final = 8
"""Streams (SSRC) one call may have had. A browser needs one, and each costs memory in three libraries."""

_NTP_TIME: Final = f"{SENDER}ntp_timestamp"
_RTP_TIME: Final = f"{SENDER}rtp_timestamp"
_PACKETS: Final = f"{SENDER}packet_count"
_OCTETS: Final = f"{SENDER}octet_count"

_NTP_SECOND: Final = 1 << 32

_HEADER: Final = Struct("!BBHII")
_PADDED: Final = 0x20
_EXTENDED: Final = 0x10
_SOURCES: Final = 0x0F
_ONE_BYTE_FORM: Final = b"\xbe\xde"

_HALF_32: Final = 1 << 31
_MASK_32: Final = (1 << 32) - 1


class Direct:
    """The sound of one connection. *on_broken* is called when it cannot go on."""

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        pull: Pull,
        deliver: Callable[[Pcm, int, float], None],
        repair: Callable[[Pcm], None],
        attentive: Callable[[], bool],
        options: PeerOptions,
        on_broken: Callable[[], None],
    ) -> None:
        self._options = options
        self._pull = pull
        self._deliver = deliver
        self._repair = repair
        self._attentive = attentive
        self._sender = _Sender(transceiver, self._tick, self._encoder, on_broken)
        self._receiver = _Receiver(transceiver.receiver, self._inbound, on_broken)

    def _encoder(self, form: Format) -> Encoder:
        return formats.encoder(form, self._options.send_rate_hz, self._options.bitrate_bps)

    def _inbound(self, form: Format) -> tuple[Inbound, Doze]:
        options = self._options
        decoder = formats.decoder(form, options.receive_rate_hz)
        inbound = Inbound(
            decoder, self._deliver, self._repair, rtp_rate_hz=form.rtp_rate_hz, fill_pauses=options.fill_pauses
        )
        return inbound, Doze(inbound, decoder, self._attentive)

    def expect_levels(self, number: int | None) -> None:
        """Each packet tells how loud it is (RFC 6464), in the header extension of this *number*."""
        self._receiver.level_id = number

    def _tick(self) -> Pcm | None:
        self._receiver.idle()
        return self._pull()

    def connected(self) -> None:
        """The connection is up, in the directions that both sides want."""
        self._sender.play_on()

    def take(self, datagram: bytes) -> bool:
        """Take a datagram that is RTP and can be read by now; False for any other."""
        return self._receiver.take(datagram)

    def stop(self) -> None:
        """Send and deliver nothing more."""
        self._sender.stop()
        self._receiver.stop()

    def stats(self) -> PeerStats:
        """The counts so far."""
        return self._receiver.stats(self._sender.sent, self._sender.round_trip_ms)


class _Sender:
    """Takes the place of the task in which an aiortc sender waits for its track, encodes and sends."""

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        pull: Pull,
        encoder: Callable[[Format], Encoder],
        on_broken: Callable[[], None],
    ) -> None:
        self._transceiver = transceiver
        self._pull = pull
        self._encoder = encoder
        self._on_broken = on_broken
        self._hidden: dict[str, Any] = vars(transceiver.sender)
        self._hidden["_run_rtp"] = self._run
        self._outbound: Outbound | None = None
        self._leave: Callable[[], None] | None = None
        self._stopped = False

    @property
    def sent(self) -> int:
        return self._outbound.sent if self._outbound is not None else 0

    @property
    def round_trip_ms(self) -> float | None:
        seconds: float | None = self._hidden[f"{SENDER}rtt"]
        # The clocks of both sides are read at different moments: on a short way the difference may come out negative.
        return None if seconds is None else max(seconds, 0.0) * 1_000

    def play_on(self) -> None:
        """Pull also for who does not want to hear it: the sound goes by, and what waits for its end goes on."""

        def unheard(_tick: int) -> bool:
            self._pull()
            return False

        wanted = (self._transceiver.currentDirection or "inactive").startswith("send")
        if not wanted and not self._stopped and self._leave is None:
            self._leave = metronome().join(unheard, self._on_broken)

    def stop(self) -> None:
        self._stopped = True
        if self._leave is not None:
            self._leave()
            self._leave = None

    async def _run(self, codec: RTCRtpCodecParameters) -> None:
        """Begins when the connection is up; aiortc cancels it to end it, and waits for both events."""
        self._hidden[f"{SENDER}rtp_started"].set()
        try:
            self._start(codec)
            with suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
        finally:
            self.stop()
            self._hidden[f"{SENDER}rtp_exited"].set()

    def _start(self, codec: RTCRtpCodecParameters) -> None:
        if self._stopped:
            return
        form = _format(codec)
        sender: RTCRtpSender = self._transceiver.sender
        transport: RTCDtlsTransport = sender.transport
        # In the lower half, so that the first wrap is not lost on a decryption that begins late (RFC 3711, 3.3.1).
        sequence = secrets.randbelow(1 << 15)
        self._outbound = Outbound(
            self._pull,
            self._encoder(form),
            payload_type=form.payload_type,
            ssrc=sender._ssrc,
            sequence=sequence,
            rtp_origin=secrets.randbits(32),
            extension=_named(transport, self._transceiver.mid),
            pause=OPUS_PAUSE if form.codec == "opus" else None,
        )
        self._ntp_start, self._started = clock.current_ntp_time(), time.monotonic()
        self._protect = transport._tx_srtp.protect
        self._nominated = transport.transport._connection._nominated
        self._leave = metronome().join(self._beat, self._on_broken)

    def _beat(self, tick: int) -> bool:
        outbound = self._outbound
        pair = self._nominated.get(1)
        if outbound is None or pair is None:
            return False
        packet = outbound.packet(tick)
        if packet is not None:
            pair.protocol.transport.sendto(self._protect(packet), pair.remote_addr)
        self._count(outbound)
        return packet is not None

    def _count(self, outbound: Outbound) -> None:
        """For the sender reports: which time of ours is which RTP time, and how much was sent (RFC 3550, 6.4.1)."""
        hidden = self._hidden
        hidden[_NTP_TIME] = self._ntp_start + int((time.monotonic() - self._started) * _NTP_SECOND)
        hidden[_RTP_TIME] = outbound.rtp_time
        hidden[_PACKETS] = outbound.sent
        hidden[_OCTETS] = outbound.octets


def _format(codec: RTCRtpCodecParameters) -> Format:
    assert codec.payloadType is not None, "negotiated codecs have a number"
    return Format(cast(Name, codec.name), codec.payloadType)


def _named(transport: RTCDtlsTransport, mid: str | None) -> bytes:
    """The header extension that names our section of the description (RFC 8843, 9.2), if both sides know it."""
    profile, value = transport._rtp_header_extensions_map.set(HeaderExtensions(mid=mid))
    return b"".join((profile.to_bytes(2, "big"), (len(value) // 4).to_bytes(2, "big"), value)) if value else b""


def audio_level(extension: bytes, number: int) -> int | None:
    """How many dB below full scale a packet says that it is (RFC 6464), in the element *number* of its one-byte header
    *extension* (RFC 8285, 4.2); None when it does not say."""
    if extension[:2] != _ONE_BYTE_FORM:
        return None
    at = 4
    while at < len(extension) - 1:
        element = extension[at]
        if element == 0:  # padding
            at += 1
        elif element >> 4 == number:
            return extension[at + 1] & 0x7F
        elif element >> 4 == 15:
            return None
        else:
            at += 2 + (element & 0x0F)
    return None


class _Header:
    """What the statistics read of a packet of one source."""

    __slots__ = ("sequence_number", "timestamp")

    def __init__(self, sequence: int, rtp_time: int) -> None:
        self.sequence_number = sequence
        self.timestamp = rtp_time
        """Counts on where RTP time wraps: to the statistics the wrap would be a day's jitter."""

    def set(self, sequence: int, rtp_time: int) -> None:
        self.sequence_number = sequence
        self.timestamp += ((rtp_time - self.timestamp + _HALF_32) & _MASK_32) - _HALF_32


class _Receiver:
    """Takes the place of what is behind an aiortc receiver, from the datagram on."""

    def __init__(
        self, receiver: RTCRtpReceiver, make: Callable[[Format], tuple[Inbound, Doze]], on_flood: Callable[[], None]
    ) -> None:
        self.level_id: int | None = None
        """The header extension that tells how loud a packet is; None when there is none."""

        self._make = make
        self._inbound: Inbound | None = None
        """None before the codec is known, and when nothing more is to be heard."""

        self._doze: Doze
        """In front of the inbound stream, as long as there is one."""

        self._counts = Counts()
        self._payload_type = 0
        self._clock_rate_hz = 1
        self._receiver = receiver
        self._on_flood = on_flood
        self._now = asyncio.get_running_loop().time
        self._headers: dict[int, _Header] = {}
        self._source = 0
        # aiortc's own table: it makes the receiver reports from it.
        self._streams: dict[int, StreamStatistics] = vars(receiver)[f"{RECEIVER}remote_streams"]
        vars(receiver)["receive"] = self._start

    async def _start(self, parameters: RTCRtpReceiveParameters) -> None:
        """As aiortc does, without the thread that decodes."""
        hidden = vars(self._receiver)
        if not hidden[f"{RECEIVER}started"]:
            self._receiver.transport._register_rtp_receiver(self._receiver, parameters)
            hidden[f"{RECEIVER}rtcp_task"] = asyncio.ensure_future(self._receiver._run_rtcp())
            hidden[f"{RECEIVER}started"] = True
            form = _format(parameters.codecs[0])
            self._payload_type, self._clock_rate_hz = form.payload_type, form.rtp_rate_hz
            self._inbound, self._doze = self._make(form)
            self._counts = self._inbound.counts

    def idle(self) -> None:
        """A tick has passed."""
        if self._inbound is not None:
            self._inbound.idle(self._now())

    def stop(self) -> None:
        self._inbound = None

    def take(self, datagram: bytes) -> bool:
        """See :meth:`Direct.take`."""
        # RTP by its first byte (RFC 7983, 7), and not RTCP by its second (RFC 5761, 4).
        if len(datagram) <= _HEADER.size or not 128 <= datagram[0] <= 191 or 64 <= datagram[1] & 0x7F <= 95:
            return False
        srtp: Session | None = self._receiver.transport._rx_srtp
        if srtp is None:
            return False
        try:
            packet = srtp.unprotect(datagram)
        except SrtpError:
            return True
        if self._inbound is not None:
            self._read(packet, self._inbound)
        return True

    def _read(self, packet: bytes, inbound: Inbound) -> None:
        """Take an RTP packet (RFC 3550, 5.1) whose sender has proved itself. What is malformed is dropped."""
        first, second, sequence, rtp_time, source = _HEADER.unpack_from(packet)
        if second & 0x7F != self._payload_type:
            return
        start, level = _HEADER.size + 4 * (first & _SOURCES), None
        if first & _EXTENDED:
            begin, start = start, start + 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
            if self.level_id is not None:
                level = audio_level(packet[begin:start], self.level_id)
        end = len(packet) - (packet[-1] if first & _PADDED else 0)
        if start > end or (first & _PADDED and end == len(packet)):
            return
        stream = self._streams.get(source)
        if stream is None:
            if len(self._streams) == MAX_SOURCES:
                self._on_flood()
                return
            stream = self._new_stream(source)
            self._headers[source] = _Header(sequence, rtp_time)
            self._doze.wake()
            inbound.restart()
        header = self._headers[source]
        header.set(sequence, rtp_time)
        stream.add(cast(RtpPacket, header))
        if source == self._source:
            self._doze.receive(sequence, rtp_time, packet[start:end], self._now(), level)

    def _new_stream(self, source: int) -> StreamStatistics:
        # By this table aiortc finds to whom a sender report goes.
        self._receiver.transport._rtp_router.ssrc_table[source] = self._receiver
        self._source = source
        stream = self._streams[source] = StreamStatistics(self._clock_rate_hz)
        return stream

    def stats(self, sent: int, round_trip_ms: float | None) -> PeerStats:
        lost = sum(each.packets_lost for each in self._streams.values())
        jitter = self._streams[self._source].jitter if self._streams else 0
        counts = asdict(self._counts)
        return PeerStats(
            sent=sent, lost=lost, jitter_ms=jitter * 1000 / self._clock_rate_hz, round_trip_ms=round_trip_ms, **counts
        )
