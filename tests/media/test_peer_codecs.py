"""Calls with other codecs and packet times, with aiortc's own client and with ours."""

import asyncio
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_capabilities

from media.codecs.codec import Name
from media.frames import Pcm
from media.peer import Peer, PeerOptions
from tests.media.calls import LIMIT_S, Listener, Tone, called, nothing_runs, play
from tests.media.sounds import pitch, rms, sine

CALLER_HZ = 500
GATEWAY_HZ = 800


class Voice(MediaStreamTrack):
    """A tone, as an aiortc client sends it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0
        self._tone = sine(CALLER_HZ, 48_000, 20)  # ten whole periods

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        frame = av.AudioFrame.from_ndarray(self._tone.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), self._sent * 960
        self._sent += 1
        return frame


class StockClient:
    """An aiortc client that speaks *codecs*, in that order."""

    def __init__(self, codecs: tuple[str, ...]) -> None:
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.createDataChannel("oai-events")
        transceiver = self._pc.addTransceiver(Voice(), "sendrecv")
        known = {each.mimeType: each for each in get_capabilities("audio").codecs}
        transceiver.setCodecPreferences([known[f"audio/{name}"] for name in codecs])
        self._track: Any = transceiver.receiver.track
        self._pc.on("track", self._found)

    def _found(self, track: Any) -> None:
        self._track = track

    async def call(self, ears: Listener, answer: Tone) -> Peer:
        await self._pc.setLocalDescription(await self._pc.createOffer())
        gateway = await Peer.accept(self._pc.localDescription.sdp, ears, answer)
        await self._pc.setRemoteDescription(RTCSessionDescription(gateway.answer_sdp, "answer"))
        return gateway

    async def hear(self, frames: int) -> tuple[Pcm, int]:
        """The left channel of so many frames, and their rate."""
        heard = [await self._track.recv() for _ in range(frames)]
        step = len(heard[0].layout.channels)
        pcm = np.concatenate([frame.to_ndarray().reshape(-1)[::step] for frame in heard])
        return pcm, heard[0].sample_rate

    async def close(self) -> None:
        await self._pc.close()


@pytest.mark.parametrize(
    ("codecs", "spoken", "rate_hz"),
    [
        (("PCMU",), "PCMU/8000", 8_000),
        (("PCMA", "PCMU"), "PCMU/8000", 8_000),
        (("G722", "PCMA"), "PCMA/8000", 8_000),
        (("PCMU", "opus"), "opus/48000/2", 48_000),
    ],
)
def test_a_stock_client_talks_and_hears(codecs: tuple[str, ...], spoken: str, rate_hz: int) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT_S):
            ears, client = Listener(), StockClient(codecs)
            gateway = await client.call(ears, Tone(GATEWAY_HZ))
            maps = [line for line in gateway.answer_sdp.splitlines() if line.startswith("a=rtpmap:")]
            assert [line.split()[1] for line in maps] == [spoken]
            heard, heard_hz = await client.hear(30)
            await ears.hear(30)
            stats = gateway.stats()
            await client.close()
            await gateway.close()
            await nothing_runs()
        assert heard_hz == rate_hz
        assert pitch(heard[-rate_hz // 5 :], rate_hz) == pytest.approx(GATEWAY_HZ, abs=10)
        assert rms(heard[-rate_hz // 5 :]) == pytest.approx(8_000 / np.sqrt(2), rel=0.15)
        assert {len(pcm) for pcm in ears.pcm} == {320}
        assert min(ears.steps()) >= 960
        steady = np.concatenate(ears.pcm[10:30])
        assert pitch(steady, 16_000) == pytest.approx(CALLER_HZ, abs=5)
        # aiortc makes two channels of one before it encodes Opus, and takes 3 dB off each.
        assert rms(steady) == pytest.approx(8_000 / (2 if "opus" in spoken else np.sqrt(2)), rel=0.15)
        assert (stats.undecodable, stats.late, stats.lost) == (0, 0, 0)
        assert stats.jitter_ms < 1_000

    play(main)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_two_of_ours_may_speak_g711(codec: Name) -> None:
    async def main() -> None:
        only = PeerOptions(codecs=(codec,))
        async with called(Tone(CALLER_HZ), Tone(GATEWAY_HZ), caller_options=only) as call:
            await call.at_gateway.hear(30)
            await call.at_caller.hear(30)
            for ears, hz in ((call.at_gateway, CALLER_HZ), (call.at_caller, GATEWAY_HZ)):
                assert pitch(np.concatenate(ears.pcm[5:30]), 16_000) == pytest.approx(hz, abs=3)
            assert call.gateway.stats().lost == 0

    play(main)


def test_an_answer_of_g711_to_an_offer_of_everything_is_taken() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ), Tone(GATEWAY_HZ), options=PeerOptions(codecs=("PCMA",))) as call:
            await call.at_caller.hear(20)
            assert "opus" not in call.gateway.answer_sdp
            assert pitch(np.concatenate(call.at_caller.pcm[5:20]), 16_000) == pytest.approx(GATEWAY_HZ, abs=4)

    play(main)


def test_a_caller_who_sends_nothing_is_heard_to_be_silent() -> None:
    async def main() -> None:
        async with called(options=PeerOptions(fill_pauses=True)) as call:
            heard = call.at_gateway
            await heard.until(lambda: sum(map(len, heard.pcm)) >= 16_000)
            assert call.gateway.stats().received < 20
            assert not np.concatenate(heard.pcm).any()

    play(main)
