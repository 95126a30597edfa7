"""A machine that has nothing but loopback: what a stock aiortc client needs to get through to the gateway there."""

import asyncio
from pathlib import Path

import aioice.ice
import httpx2
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from tests.e2e.test_call import LIMIT_S, served

LOOPBACK = "127.0.0.1"


def test_a_stock_client_connects_over_loopback_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice passes by 127.0.0.1, and by no other address of loopback: a client that has one connects."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [LOOPBACK])

    async def main() -> None:
        async with asyncio.timeout(LIMIT_S), served(tmp_path) as url:
            client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            client.addTrack(AudioStreamTrack())
            client.createDataChannel("oai-events")
            connected = asyncio.Event()

            def changed() -> None:
                if client.connectionState == "connected":
                    connected.set()

            client.on("connectionstatechange", changed)
            await client.setLocalDescription(await client.createOffer())
            async with httpx2.AsyncClient() as http:
                answer = await http.post(
                    f"{url}/v1/realtime/calls",
                    content=client.localDescription.sdp,
                    headers={"Content-Type": "application/sdp"},
                )
            hosts = {line.split()[4] for line in answer.text.splitlines() if line.startswith("a=candidate:")}
            assert hosts == {LOOPBACK}
            await client.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            await connected.wait()
            await client.close()

    asyncio.run(main())
