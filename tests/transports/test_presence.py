"""Who is here, over real sockets: devices that join, say goodbye, are cut, freeze, and come back."""

import asyncio
import json
import socket as sockets
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from gateway.core.members import DOING
from gateway.transports.network import Network
from media.leg import Engines
from media.peer import Peer, PeerOptions
from tests.media.calls import Listener, mute
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.inbox import Inbox, Json
from tests.transports.server import STOCK, Gateway, Socket, serving

NEVER = 60.0
"""A grace that no test waits for."""


def served(
    folder: Path,
    talk: Callable[[Gateway, str], Awaitable[None]],
    *,
    grace: float = NEVER,
    engines: Engines | None = None,
    **options: Any,
) -> None:
    """A gateway with one session, whose lost devices have *grace* seconds to come back."""

    async def main() -> None:
        async with asyncio.timeout(50), serving(folder, engines=engines, **options) as gateway:
            registry = gateway.services.registry
            registry._policy = replace(registry._policy, presence_grace=grace)
            async with gateway.socket("device=first") as first:
                session = (await first.get("session.created"))["session"]["id"]
                await first.get("presence.snapshot")
            await talk(gateway, f"session={session}")

    asyncio.run(main())


class Here:
    """Who is here, as a careful client keeps it. Complains about what does not fit what came before."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.members: dict[str, Json] = {}
        self._seen = 0

    def catch_up(self) -> dict[str, Json]:
        for event in self.inbox.presence[self._seen :]:
            if event["type"] == "presence.snapshot":
                self.members = {it["id"]: it for it in event["members"]}
            else:
                assert not {it["id"] for it in event["joined"]} & self.members.keys(), event
                assert {it["id"] for it in event["changed"]} <= self.members.keys(), event
                assert set(event["left"]) <= self.members.keys(), event
                self.members |= {it["id"]: it for it in (*event["joined"], *event["changed"])}
                self.members = {known: it for known, it in self.members.items() if known not in event["left"]}
        self._seen = len(self.inbox.presence)
        return self.members

    async def until(self, condition: Callable[[dict[str, Json]], object]) -> None:
        await self.inbox.until(lambda: condition(self.catch_up()))


def cut(socket: Socket) -> None:
    """Cut the connection as a crash does: a reset, and no farewell."""
    transport = socket.connection.transport
    transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def freeze(socket: Socket) -> None:
    """Read nothing any more, so that no ping is answered."""
    transport = socket.connection.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()


# --- coming ---


def test_a_newcomer_is_told_everybody_and_everybody_of_the_newcomer(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab&name=Kitchen&kind=browser") as tab:
            here = Here(tab.inbox)
            await here.until(lambda members: "tab" in members)
            async with gateway.socket(f"{session}&device=phone&kind=phone") as phone:
                snapshot = await phone.get("presence.snapshot")
                assert snapshot["you"] == "phone"
                assert snapshot["agent"] == "idle"
                assert here.members["tab"] in snapshot["members"]
                assert phone.types() == ["session.created", "session.snapshot"]
                for each in (Here(phone.inbox), here):
                    await each.until(lambda members: members.keys() == {"tab", "phone"})
                    shown = [(it["id"], it["name"], it["kind"]) for it in each.members.values()]
                    assert shown == [("tab", "Kitchen", "browser"), ("phone", "phone", "phone")]

    served(tmp_path, talk)


def test_a_stock_client_is_a_member_and_is_told_nothing(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with (
            gateway.socket(f"{session}&device=tab") as tab,
            gateway.socket(f"{session}&device=robot", STOCK) as robot,
        ):
            here = Here(tab.inbox)
            await here.until(lambda members: "robot" in members)
            assert here.members["robot"]["kind"] == "realtime client"
            await robot.send("typing.start", event_id="e")
            assert (await robot.get("error"))["error"]["code"] == "unknown_event_type"
            assert robot.inbox.presence == []

    served(tmp_path, talk)


def test_two_connections_of_a_device_are_one_member(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            await here.until(lambda members: members.keys() == {"tab"})
            async with gateway.socket(f"{session}&device=tab") as second:
                assert (await second.get("presence.snapshot"))["occupancy"]["members"] == 1
                await second.connection.close()
            async with gateway.socket(f"{session}&device=other"):
                await here.until(lambda members: members.keys() == {"tab", "other"})
            await here.until(lambda members: members.keys() == {"tab"})

    served(tmp_path, talk)


# --- telling ---


def test_a_device_tells_of_itself(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with (
            gateway.socket(f"{session}&device=tab") as tab,
            gateway.socket(f"{session}&device=phone") as phone,
        ):
            here = Here(phone.inbox)
            data = {"cursor": [1, 2.5, None], "big": 2**70, "☃": "\U0001f600"}
            await tab.send("presence.update", name="Kitchen", data=data, event_id="e1")
            await here.until(lambda members: "tab" in members and members["tab"].get("data") == data)
            assert here.members["tab"]["name"] == "Kitchen"
            assert (await tab.get("command.accepted"))["command_id"] == "e1"
            await tab.send("presence.update", data=None)
            await here.until(lambda members: "data" not in members["tab"])
            await tab.send("presence.update", data={"x": "x" * 1024}, event_id="e2")
            assert (await tab.get("command.rejected"))["code"] == "presence_data_too_large"
            await tab.send("typing.start")
            await here.until(lambda members: members["tab"].get("doing") == ["typing"])
            await tab.say("Hello.")
            await here.until(lambda members: "doing" not in members["tab"])
            await tab.send("reaction.send", reaction="👏")
            for each in (tab, phone):
                told = await each.get("reaction.sent")
                assert (told["member_id"], told["reaction"]) == ("tab", "👏")

    served(tmp_path, talk)


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 65}, {"kind": "x" * 33}, {"data": [1]}, {"data": 5}])
def test_what_a_device_tells_is_checked(tmp_path: Path, fields: Json) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            await tab.raw(json.dumps({"type": "presence.update", **fields}))
            assert (await tab.get("error"))["error"]["code"] == "invalid_value"

    served(tmp_path, talk)


def test_a_microphone_is_shown_and_so_is_that_it_is_muted(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            await tab.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
            await here.until(lambda members: "tab" in members and members["tab"].get("doing") == ["listening"])
            await tab.send("input_audio_buffer.mute", muted=True)
            await here.until(lambda members: members["tab"].get("doing") == ["muted"])
            assert tab.inbox.presence[-1]["occupancy"]["voices"] == 1
            await tab.send("input_audio_buffer.mute", muted=False)
            await here.until(lambda members: members["tab"].get("doing") == ["listening"])
            await tab.ask("Count to three.")
            await here.until(lambda members: "playing" in members["tab"]["doing"])
            assert set(here.members["tab"]["doing"]) <= set(DOING)

    served(tmp_path, talk, engines=Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel))


# --- going ---


@pytest.mark.parametrize("code", [1000, 1005])
def test_who_closes_the_socket_has_left_at_once(tmp_path: Path, code: int) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            async with gateway.socket(f"{session}&device=phone") as phone:
                await here.until(lambda members: "phone" in members)
                if code == 1005:  # a close frame without a code: what a browser's `close()` sends
                    phone.connection.protocol.send_close()
                    phone.connection.send_data()
                await phone.connection.close(code if code == 1000 else 1001)
            await here.until(lambda members: "phone" not in members)

    served(tmp_path, talk)


def test_a_page_that_is_reloaded_has_not_left(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            for _ in range(2):
                async with gateway.socket(f"{session}&device=phone") as phone:
                    await here.until(lambda members: "phone" in members)
                    await phone.connection.close(1001)
            async with gateway.socket(f"{session}&device=phone") as phone:
                await phone.send("presence.update", name="Back")
                await here.until(lambda members: members["phone"]["name"] == "Back")
            told = tab.all("presence.changed")
            joined = [it["id"] for event in told for it in event["joined"]]
            assert joined.count("phone") == 1

    served(tmp_path, talk)


def test_a_socket_that_is_cut_has_left_after_the_grace(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            async with gateway.socket(f"{session}&device=phone") as phone:
                await here.until(lambda members: "phone" in members)
                cut(phone)
                await here.until(lambda members: "phone" not in members)

    served(tmp_path, talk, grace=0.2)


def test_a_socket_that_is_cut_and_comes_back_has_not_left(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            for name in ("once", "twice"):
                async with gateway.socket(f"{session}&device=phone") as phone:
                    await phone.send("presence.update", name=name)
                    await here.until(lambda members: name in [it["name"] for it in members.values()])  # noqa: B023
                    cut(phone)
            assert not any("phone" in event["left"] for event in tab.all("presence.changed"))

    served(tmp_path, talk)


def test_a_client_that_freezes_is_noticed_by_its_silence(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            async with gateway.socket(f"{session}&device=phone") as phone:
                await here.until(lambda members: "phone" in members)
                freeze(phone)
                await here.until(lambda members: "phone" not in members)
                cut(phone)

    served(tmp_path, talk, grace=0.2, ping_every_s=0.2, pong_within_s=0.5)


def test_a_client_that_freezes_with_much_to_be_read_is_noticed_too(tmp_path: Path) -> None:
    """What waits for it can never be sent, so that its socket must be closed without that."""

    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            async with gateway.socket(f"{session}&device=phone") as phone:
                await here.until(lambda members: "phone" in members)
                freeze(phone)
                for _ in range(120):
                    await tab.say("x" * 60_000)
                await here.until(lambda members: "phone" not in members)
                cut(phone)

    served(tmp_path, talk, grace=0.2, ping_every_s=0.5, pong_within_s=1.0)


def test_a_client_whose_message_takes_long_to_come_is_not_silent(tmp_path: Path) -> None:
    """Its pongs wait behind it."""

    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab, gateway.socket(f"{session}&device=phone") as phone:
            here = Here(tab.inbox)
            await here.until(lambda members: "phone" in members)
            freeze(phone)
            text = json.dumps({"type": "presence.update", "name": "Still here", "pad": "x" * 100}).encode()
            frame = Frame(Opcode.TEXT, text).serialize(mask=True)
            for byte in frame:
                phone.connection.transport.write(bytes([byte]))
                await asyncio.sleep(0.01)  # a slow network
            await here.until(lambda members: members.get("phone", {}).get("name") == "Still here")
            assert not any("phone" in event["left"] for event in tab.all("presence.changed"))
            cut(phone)  # it would wait ten seconds for an answer that it does not read

    served(tmp_path, talk, grace=0.0, ping_every_s=0.2, pong_within_s=0.5)


def test_a_call_whose_path_is_dead_has_left_after_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = Network.options
    monkeypatch.setattr(Network, "options", lambda it, wall: replace(options(it, wall), silence_timeout_s=0.6))

    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            peer = await Peer.offer(Listener(), mute, PeerOptions())
            path = f"/v1/realtime/calls?{session}&device=phone&kind=phone"
            answer = await gateway.http("POST", path, peer.offer_sdp, {"Content-Type": "application/sdp"})
            await peer.connect(answer.body.decode())
            await here.until(lambda members: members.get("phone", {}).get("doing") == ["listening"])
            for protocol in peer._transceiver.receiver.transport.transport._connection._protocols:
                protocol.transport.abort()
            await here.until(lambda members: "phone" not in members)
            await peer.close()

    served(tmp_path, talk, grace=0.2, engines=Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel))


def test_who_hangs_up_a_call_has_left_at_once(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        async with gateway.socket(f"{session}&device=tab") as tab:
            here = Here(tab.inbox)
            peer = await Peer.offer(Listener(), mute, PeerOptions())
            path = f"/v1/realtime/calls?{session}&device=phone"
            answer = await gateway.http("POST", path, peer.offer_sdp, {"Content-Type": "application/sdp"})
            await peer.connect(answer.body.decode())
            await here.until(lambda members: "phone" in members)
            await gateway.http("DELETE", answer.headers["location"])
            await here.until(lambda members: "phone" not in members)
            await peer.close()

    served(tmp_path, talk, engines=Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel))


# --- many ---

CROWD = 200


def test_two_hundred_that_come_back_together_cost_batches_and_not_pairs(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, session: str) -> None:
        everybody = {f"dev{number}" for number in range(CROWD)} | {"tab"}

        async def join(number: int, done: asyncio.Event) -> Inbox:
            async with gateway.socket(f"{session}&device=dev{number}") as socket:
                socket.inbox.patience_s = 40.0
                here = Here(socket.inbox)
                await here.until(lambda members: members.keys() == everybody)
                await done.wait()
                cut(socket)
                return socket.inbox

        async with gateway.socket(f"{session}&device=tab") as tab:
            for _ in range(2):
                done = asyncio.Event()
                async with asyncio.TaskGroup() as group:
                    crowd = [group.create_task(join(number, done)) for number in range(CROWD)]
                    here = Here(tab.inbox)
                    tab.inbox.patience_s = 40.0
                    await here.until(lambda members: members.keys() == everybody)
                    done.set()
                assert here.inbox.presence[-1]["occupancy"]["members"] == len(everybody)
                told = sum(len(task.result().presence) for task in crowd)
                assert told < CROWD * CROWD / 4, "each was told of nearly each by an event of its own"
            assert not any("dev7" in event["left"] for event in tab.all("presence.changed"))
            joined = [it["id"] for event in tab.all("presence.changed") for it in event["joined"]]
            assert len(joined) - joined.count("tab") == CROWD

    served(tmp_path, talk)
