"""The longest that is ever said comes through to clients that take no frame beyond a mebibyte, as most do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.agents.scripted import Say, ScriptedAgent
from gateway.protocol.frames import MOST_BYTES
from gateway.runtime.bounds import Bounds
from gateway.runtime.ports import Agent
from media.leg import Engines
from media.peer import Peer, PeerOptions
from tests.e2e.test_call import LIMIT_S, Caller
from tests.e2e.test_handover import SDP
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import EXTENDED, STOCK, Gateway, Socket, serving

MOST = Bounds().characters
ANSWER = "\u0001" * MOST
"""As long as an answer may be, of what JSON makes six bytes each, from a model that means no good."""


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], agent: Agent | None = None) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * LIMIT_S), serving(folder, agent=agent) as gateway:
            await talk(gateway)

    asyncio.run(main())


def text_of(socket: Socket) -> str:
    return "".join(event["delta"] for event in socket.all("response.output_text.delta"))


@pytest.mark.parametrize("protocol", [STOCK, EXTENDED])
def test_an_answer_without_measure_comes_through_and_so_does_its_end(tmp_path: Path, protocol: str) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", protocol) as socket:
            await socket.send("session.update", session={"output_modalities": ["text"]})
            await socket.ask("go")
            done = await socket.get("response.done")
            assert text_of(socket) == ANSWER
            assert done["shortened"] is True
            assert done["response"]["status"] == "completed"
            item = done["response"]["output"][0]["id"]
            await socket.send("conversation.item.retrieve", item_id=item)
            assert (await socket.get("conversation.item.retrieved"))["shortened"] is True
            session = (await socket.get("session.created"))["session"]["id"]
            items = (await gateway.http("GET", f"/v1/sessions/{session}/items")).json["items"]
            assert items[1]["content"][0]["text"] == ANSWER
        async with gateway.socket(f"session={session}", protocol) as joins:
            event = await joins.get("session.snapshot" if protocol == EXTENDED else "conversation.item.done")
            assert event["type"]

    served(tmp_path, talk, ScriptedAgent([Say(ANSWER)]))


def test_the_largest_session_that_events_can_make_fits_into_a_frame(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK, reads=False) as socket:
            created = await socket.connection.recv()
            words = "\u0001" * 10_500
            await socket.send("session.update", session={"type": "realtime", "instructions": words})
            updated = await socket.connection.recv()
            assert len(created.encode() if isinstance(created, str) else created) < MOST_BYTES
            assert 63_000 < len(updated) < MOST_BYTES
            assert "shortened" not in str(updated)

    served(tmp_path, talk)


def test_over_a_call_no_message_is_longer_than_its_client_takes(tmp_path: Path) -> None:
    """One byte more would end the call."""
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
    answer = ("Once upon a time. " * MOST)[:MOST]

    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            serving(tmp_path, agent=ScriptedAgent([Say(answer)]), engines=engines) as gateway,
        ):
            browser = Caller()
            options = PeerOptions(send_rate_hz=16_000, max_message_bytes=64 * 1024)
            browser.peer = await Peer.offer(browser, browser.pull, options)
            given = await gateway.http("POST", "/v1/realtime/calls", browser.peer.offer_sdp, SDP)
            await browser.peer.connect(given.body.decode())
            await browser.event("session.created")
            browser.ask("go", response={"output_modalities": ["text"]})
            done = await browser.event("response.done")
            assert "".join(event["delta"] for event in browser.seen("response.output_text.delta")) == answer
            assert done["shortened"] is True
            assert browser.closed is None
            await browser.peer.close()

    asyncio.run(main())
