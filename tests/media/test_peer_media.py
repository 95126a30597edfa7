"""Clients as they are: stock ones, ones that only listen, only talk, or fall silent; and aiortc's own media path."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError

from media.frames import Pcm
from media.peer import Peer, PeerOptions, send_lateness
from media.peer.direct import audio_level
from media.rtp import metronome
from media.rtp.inbound import RTP_FRAME
from media.rtp.outbound import HANGOVER_TICKS
from tests.media.calls import LIMIT_S, Listener, Run, Tone, called, nothing_runs, on_both_loops, play
from tests.media.sounds import pitch, rms

CALLER_HZ = 440
GATEWAY_HZ = 880
STOCK = PeerOptions(media="stock")


class Client:
    """A client of stock aiortc."""

    def __init__(self, pc: RTCPeerConnection) -> None:
        self.pc = pc
        self.heard = 0
        self.loudest = 0.0
        self._news = asyncio.Event()
        self._listening: list[asyncio.Task[None]] = []
        pc.on("track", self._track)

    def _track(self, track: MediaStreamTrack) -> None:
        self._listening.append(asyncio.ensure_future(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame: Any = await track.recv()
                self.heard += 1
                self.loudest = max(self.loudest, float(np.abs(frame.to_ndarray()).max()))
                self._news.set()
        except MediaStreamError:
            pass

    async def hear(self, frames: int) -> None:
        while self.heard < frames:
            self._news.clear()
            await self._news.wait()

    async def statistics(self) -> dict[str, Any]:
        return {each.type: each for each in (await self.pc.getStats()).values()}


@asynccontextmanager
async def visited(
    direction: str, answer: Callable[[], Pcm | None], options: PeerOptions, *, track: bool = True
) -> AsyncIterator[tuple[Client, Peer, Listener]]:
    """A stock client calls, with sound in one *direction* or both."""
    ears = Listener()
    pc = RTCPeerConnection()
    async with asyncio.timeout(LIMIT_S):
        client = Client(pc)
        pc.createDataChannel("oai-events")
        pc.addTransceiver(AudioStreamTrack() if track else "audio", direction)
        await pc.setLocalDescription(await pc.createOffer())
        gateway = await Peer.accept(pc.localDescription.sdp, ears, answer, options)
        await pc.setRemoteDescription(RTCSessionDescription(gateway.answer_sdp, "answer"))
        await gateway.wait_connected(LIMIT_S)
        try:
            yield client, gateway, ears
        finally:
            await pc.close()
            await gateway.close()
        await nothing_runs()


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports each 10 to 200 ms: the wait for one is half a second and this."""
    later = iter([-0.3, -0.49] * 10_000)
    monkeypatch.setattr(random, "random", lambda: next(later))


@pytest.mark.parametrize("options", [PeerOptions(), STOCK], ids=["direct", "stock"])
def test_a_stock_client_is_told_sane_statistics(options: PeerOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    monkeypatch.setattr(metronome, "_meter", metronome.LatenessMeter())

    async def main() -> None:
        async with visited("sendrecv", Tone(GATEWAY_HZ), options) as (client, gateway, _):
            found: dict[str, Any] = {}
            wanted = {"inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "remote-outbound-rtp"}
            while not wanted <= set(found) or found["remote-inbound-rtp"].roundTripTime is None:
                await client.hear(client.heard + 5)
                found = await client.statistics()
            assert client.loudest > 2_000
            assert found["inbound-rtp"].packetsLost == found["remote-inbound-rtp"].packetsLost == 0
            assert found["remote-inbound-rtp"].fractionLost == 0
            assert 0 <= found["remote-inbound-rtp"].jitter < 48_000
            assert abs(found["remote-inbound-rtp"].roundTripTime) < LIMIT_S
            # What we said we had sent is what came, but for what was under way.
            sent, received = found["remote-outbound-rtp"], found["inbound-rtp"].packetsReceived
            assert 0 < sent.packetsSent <= received + 5
            assert sent.bytesSent > 20 * sent.packetsSent
            assert gateway.stats().lost == 0
            assert send_lateness().count > 0

    play(main)


def test_a_client_that_only_listens_is_spoken_to() -> None:
    async def main() -> None:
        async with visited("recvonly", Tone(GATEWAY_HZ), PeerOptions(silence_timeout_s=0.5)) as (client, gateway, ears):
            await client.hear(50)
            assert client.loudest > 2_000
            assert (ears.pcm, ears.ends) == ([], [])
            assert gateway.stats().received == 0

    play(main)


def test_a_client_that_only_talks_is_heard_and_the_answer_goes_by() -> None:
    async def main() -> None:
        tone = Tone(GATEWAY_HZ)
        async with visited("sendonly", tone, PeerOptions()) as (client, gateway, ears):
            await ears.hear(20)
            assert gateway.stats().sent == client.heard == 0
            assert tone.pulled > 5

    play(main)


def test_a_client_without_a_microphone_is_spoken_to_and_stays() -> None:
    async def main() -> None:
        options = PeerOptions(silence_timeout_s=0.5)
        async with visited("sendrecv", Tone(GATEWAY_HZ), options, track=False) as (client, gateway, ears):
            await client.hear(50)
            assert (ears.pcm, ears.ends) == ([], [])
            assert gateway.stats().received == 0

    play(main)


class Speaker:
    """A tone with a pause in it."""

    def __init__(self, sound: int, pause: int) -> None:
        self._tone = Tone(CALLER_HZ)
        self._turns: Iterator[bool] = iter([*[True] * sound, *[False] * pause])

    def __call__(self) -> Pcm | None:
        return self._tone() if next(self._turns, True) else None


@on_both_loops
def test_a_pause_is_neither_a_loss_nor_an_end_and_sound_comes_back_whole(run: Run) -> None:
    async def main() -> None:
        pause = HANGOVER_TICKS + 15
        options = PeerOptions(silence_timeout_s=1.0)
        async with called(Speaker(10, pause), options=options) as call:
            ears = call.at_gateway
            await ears.until(lambda: max(ears.steps(), default=0) > RTP_FRAME)
            resumed = len(ears.pcm)
            await ears.hear(resumed + 10)
            stats = call.gateway.stats()
            assert (stats.lost, stats.concealed, stats.late, stats.undecodable) == (0, 0, 0, 0)
            assert sum(ears.steps()) >= (10 + pause) * RTP_FRAME
            assert rms(ears.pcm[resumed + 5]) == pytest.approx(rms(ears.pcm[7]), rel=0.1)
            assert ears.ends == []

    play(main, run)


@on_both_loops
def test_the_stock_path_carries_sound_both_ways(run: Run) -> None:
    async def main() -> None:
        speak, answer = Tone(CALLER_HZ), Tone(GATEWAY_HZ)
        high = PeerOptions(receive_rate_hz=24_000)
        async with called(speak, answer, options=STOCK, caller_options=high) as call:
            await call.at_gateway.hear(40)
            await call.at_caller.hear(40)
            for ears, rate_hz, hz in ((call.at_gateway, 16_000, CALLER_HZ), (call.at_caller, 24_000, GATEWAY_HZ)):
                steady = np.concatenate(ears.pcm[10:40])
                assert pitch(steady, rate_hz) == pytest.approx(hz, abs=3)
                assert rms(steady) > 3_000
                assert min(ears.steps()) > 0
            stats = call.gateway.stats()
            assert stats.received >= 40
            assert stats.sent >= 40
            call.gateway.send("still here")
            await call.at_caller.until(lambda: call.at_caller.messages == ["still here"])

    play(main, run)


def test_the_stock_path_sends_silence_and_ends_a_call_that_breaks(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        frames = iter([None] * 20)

        def breaks() -> Pcm | None:
            try:
                return next(frames)
            except StopIteration:
                raise OSError("unplugged") from None

        async with called(answer=breaks, options=STOCK) as call:
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["failed"]
            await call.at_caller.until(lambda: call.at_caller.ends != [])
            assert not any(pcm.any() for pcm in call.at_caller.pcm)

    play(main)
    assert "unplugged" in caplog.text


def test_the_stock_path_ends_with_its_peer() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ), Tone(GATEWAY_HZ), options=STOCK) as call:
            await call.at_gateway.hear(5)
            await call.caller.close()
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["closed"]

    play(main)


@pytest.mark.parametrize(
    ("extension", "level"),
    [
        ("bede0001 10 85 0000", 5),
        ("bede0001 50 30 107f", 127),
        ("bede0002 00 00 31 aabb 10 11 00", 17),
        ("bede0001 21 aabb 10", None),
        ("bede0001 f0 00 10 11", None),
        ("bede0000", None),
        ("10000001 10 01 05 00", None),
    ],
)
def test_a_level_is_read_from_wherever_it_stands(extension: str, level: int | None) -> None:
    assert audio_level(bytes.fromhex(extension), 1) == level
