"""aiortc's own media path, as its manual uses it: where ours has lost a hook, and as the reference it is measured by.

It adds a jitter buffer of 80 to 300 ms to what is heard, and costs about eight times as much.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError

from media.frames import PTIME_MS, Pcm, samples, silence
from media.peer.peering import PeerOptions, PeerStats, Pull
from media.rtp.inbound import PAUSE_S, RTP_RATE_HZ
from media.rtp.metronome import Pacer, note_sent

log = logging.getLogger(__name__)

_STATS_EACH_S = 1.0


class _Voice(MediaStreamTrack):
    """What aiortc encodes and sends. A subclass because aiortc asks for one."""

    kind = "audio"

    def __init__(self, pull: Pull, rate_hz: int) -> None:
        super().__init__()
        self._pull = pull
        self._rate_hz = rate_hz
        self._silence = silence(samples(PTIME_MS, rate_hz))
        self._pacer: Pacer | None = None
        self._due: float | None = None
        self.sent = 0

    async def recv(self) -> av.AudioFrame:
        now = time.monotonic()
        if self._due is not None:
            # aiortc asks for the next frame when it has sent the last one.
            note_sent(self._due)
        self._pacer = self._pacer or Pacer(now)
        tick, self._due = self._pacer.next(now)
        await asyncio.sleep(max(0.0, self._due - now))
        try:
            pulled = self._pull()
        except Exception:
            log.exception("a call broke while it sent")
            raise MediaStreamError from None
        pcm = pulled if pulled is not None else self._silence
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.time_base = Fraction(1, self._rate_hz)
        frame.pts = tick * len(pcm)
        self.sent += 1
        return frame


class Stock:
    """The sound of one connection. *on_broken* is called when it cannot go on."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        transceiver: RTCRtpTransceiver,
        pull: Pull,
        deliver: Callable[[Pcm, int, float], None],
        options: PeerOptions,
        on_broken: Callable[[], None],
    ) -> None:
        self._pc = pc
        self._deliver = deliver
        self._pull = pull
        self._fill_pauses = options.fill_pauses
        self._rate_hz = options.receive_rate_hz
        self._on_broken = on_broken
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []
        self._transceiver = transceiver
        self._voice = _Voice(self._tick, options.send_rate_hz)
        self._voice.on("ended", self._ended)
        transceiver.sender.replaceTrack(self._voice)
        self._received = 0
        self._heard = 0
        """Samples delivered."""

        self._heard_at = math.inf
        self._lost = 0
        self._jitter_ms = 0.0
        self._round_trip_ms: float | None = None
        pc.on("track", self._listen)

    def connected(self) -> None:
        """The connection is up. aiortc knows the directions itself."""

    def take(self, datagram: bytes) -> bool:
        """Everything is left to aiortc."""
        return False

    def stop(self) -> None:
        """Send and deliver nothing more."""
        self._stopped = True
        self._voice.stop()
        for task in self._tasks:
            task.cancel()

    def stats(self) -> PeerStats:
        """The counts as far as aiortc tells them; loss, jitter and round trip may be a second old."""
        return PeerStats(
            sent=self._voice.sent,
            received=self._received,
            lost=self._lost,
            late=0,
            repaired=0,
            concealed=0,
            dozed=0,
            undecodable=0,
            refused=0,
            jitter_ms=self._jitter_ms,
            round_trip_ms=self._round_trip_ms,
        )

    def _ended(self) -> None:
        # aiortc ends the track with the connection, and also when it could not send a frame of it.
        if not self._stopped and self._transceiver.sender.transport.state == "connected":
            self._on_broken()

    def _listen(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and not self._tasks:
            self._tasks = [asyncio.ensure_future(self._hear(track)), asyncio.ensure_future(self._watch())]

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = av.AudioResampler("s16", "mono", self._rate_hz)
        while not self._stopped:
            try:
                decoded = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(decoded, av.AudioFrame)
            self._received += 1
            for frame in resampler.resample(decoded):
                self._heard_at = asyncio.get_running_loop().time()
                self._give(frame.to_ndarray().reshape(-1).astype(np.int16, copy=False))

    def _give(self, pcm: Pcm) -> None:
        rtp_time = self._heard * RTP_RATE_HZ // self._rate_hz & 0xFFFFFFFF
        self._heard += len(pcm)
        self._deliver(pcm, rtp_time, asyncio.get_running_loop().time())

    def _tick(self) -> Pcm | None:
        if self._fill_pauses and asyncio.get_running_loop().time() - self._heard_at > PAUSE_S:
            self._give(silence(samples(PTIME_MS, self._rate_hz)))
        return self._pull()

    async def _watch(self) -> None:
        while not self._stopped:
            await asyncio.sleep(_STATS_EACH_S)
            for each in (await self._pc.getStats()).values():
                if each.type == "inbound-rtp":
                    self._lost, self._jitter_ms = each.packetsLost, each.jitter * 1_000 / RTP_RATE_HZ
                elif each.type == "remote-inbound-rtp" and each.roundTripTime is not None:
                    self._round_trip_ms = max(each.roundTripTime, 0.0) * 1_000
