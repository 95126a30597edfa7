"""A call that goes on over another peer in the middle of an answer, against the gateway's application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from media.peer import Peer, PeerOptions
from tests.e2e.test_call import LIMIT_S, Caller, served, sounding

SDP = {"Content-Type": "application/sdp"}


@asynccontextmanager
async def caller() -> AsyncIterator[Caller]:
    it = Caller()
    it.peer = await Peer.offer(it, it.pull, PeerOptions(send_rate_hz=16_000))
    try:
        yield it
    finally:
        await it.peer.close()


@pytest.mark.parametrize("first_goes", [False, True], ids=["network changed", "network lost"])
def test_an_answer_goes_on_over_the_new_peer(tmp_path: Path, first_goes: bool) -> None:
    """Every event arrives, over the one or the other; the conversation knows of no break."""

    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            served(tmp_path) as url,
            httpx2.AsyncClient(base_url=url) as http,
            caller() as old,
            caller() as new,
        ):
            answer = await http.post("/v1/realtime/calls?ext=bargein.v1", content=old.peer.offer_sdp, headers=SDP)
            await old.peer.connect(answer.text)
            await old.event("session.created")
            await sounding(old)
            call = answer.headers["Location"]
            if first_goes:
                for protocol in old.peer._transceiver.receiver.transport.transport._connection._protocols:
                    protocol.transport.abort()
            answer = await http.post(call, content=new.peer.offer_sdp, headers=SDP)
            assert (answer.status_code, answer.headers["Location"]) == (200, call)
            await new.peer.connect(answer.text)
            await new.until(lambda: new.heard > 40)
            await old.until(lambda: old.closed is not None)
            assert not new.seen("session.created")
            new.send(type="response.cancel")
            cleared = await new.event("output_audio_buffer.cleared")
            truncated = await new.event("conversation.item.truncated")
            begun = old.seen("output_audio_buffer.started")
            assert [each["response_id"] for each in begun] == [cleared["response_id"]]
            assert truncated["heard_text"]
            assert truncated["unheard_text"]
            # Each word is a tone of its own length: what was heard is what one of the two was sent, and no more.
            if not first_goes:
                assert truncated["audio_end_ms"] <= 20 * (old.heard + new.heard)

    asyncio.run(main())
