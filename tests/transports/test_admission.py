"""Places for calls and connections: counted exactly, refused with a reason, and taken back from the newest."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from gateway.transports.admission import KEPT, Admission, Limits, Measured, Overloaded, Place
from gateway.transports.overload import Load, Rule
from media.frames import Pcm
from media.leg import Engines
from media.peer import Peer
from tests.media.calls import Listener, mute
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import EXTENDED, STOCK, Gateway, serving

RULE = Rule(late_ms=20, in_time_ms=10, patience_s=4, calm_s=5)
SDP = {"Content-Type": "application/sdp"}


def refused(take: Callable[[], Place]) -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        take()
    return caught.value


# --- places ---


def test_places_are_counted_and_come_back() -> None:
    admission = Admission(Limits(calls=2))
    first, _ = admission.call(), admission.call()
    assert refused(admission.call).retry_after_s > 0
    first.leave()
    first.leave()
    admission.call()
    refused(admission.call)
    assert (admission.admitted, admission.refused) == (3, 2)


def test_connections_have_places_of_their_own() -> None:
    admission = Admission(Limits(calls=1, connections=1))
    admission.connection()
    refused(admission.connection)
    admission.call()


def test_no_limit_means_any_number() -> None:
    admission = Admission(Limits(calls=0, connections=0))
    assert len([(admission.call(), admission.connection()) for _ in range(2000)]) == 2000


class Line:
    """Calls that note their end."""

    def __init__(self, admission: Admission, count: int) -> None:
        self.ended: list[int] = []
        self.places = [admission.call() for _ in range(count)]
        for number, place in enumerate(self.places):
            place.end = lambda number=number: self.ended.append(number)


def late(admission: Admission, since: float, seconds: float) -> None:
    for half in range(int(seconds * 2)):
        admission.look(Measured(12.0, 25.0), since + half / 2)


def test_the_newest_call_ends_first_and_the_last_few_stay() -> None:
    admission = Admission(Limits(), RULE)
    line = Line(admission, KEPT + 2)
    late(admission, 0.0, 60)
    assert line.ended == [KEPT + 1, KEPT]
    assert admission.shed == 2
    assert admission.told()["calls"] == KEPT


def test_a_late_process_refuses_calls_and_no_connection() -> None:
    admission = Admission(Limits(), RULE)
    Line(admission, KEPT)
    late(admission, 0.0, 1)
    assert refused(admission.call).code == "overloaded"
    admission.connection()


def test_a_process_with_few_calls_takes_more_however_late_it_is() -> None:
    """Then it is the machine that is late, and it would stay so."""
    admission = Admission(Limits(), RULE)
    late(admission, 0.0, 60)
    admission.call()


def test_calls_are_taken_again_when_it_has_been_in_time() -> None:
    admission = Admission(Limits(), RULE)
    Line(admission, KEPT)
    late(admission, 0.0, 2)
    for half in range(13):
        admission.look(Measured(0.5, 1.0), 2 + half / 2)
    assert admission.load is Load.OPEN
    admission.call()


# --- over real sockets ---


def engines() -> Engines:
    return Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), serving(folder, engines=engines(), **settings) as gateway:
            await talk(gateway)

    asyncio.run(main())


async def called(gateway: Gateway, ears: Listener, pull: Callable[[], Pcm | None] = mute) -> Peer:
    """A call that is connected and has a session."""
    peer = await Peer.offer(ears, pull)
    answer = await gateway.http("POST", "/v1/realtime/calls?ext=bargein.v1", peer.offer_sdp, SDP)
    assert answer.status == 201, answer.body
    await peer.connect(answer.body.decode())
    await ears.until(lambda: any('"session.created"' in text for text in ears.messages))
    return peer


def codes(ears: Listener) -> list[str]:
    events = [json.loads(text) for text in ears.messages]
    return [event["error"]["code"] for event in events if event["type"] == "error"]


def test_a_call_too_many_is_refused_with_503_and_told_when_to_ask_again(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        first, ears = await called(gateway, Listener()), Listener()
        second = await Peer.offer(ears, mute)
        refused = await gateway.http("POST", "/v1/realtime/calls", second.offer_sdp, SDP)
        assert (refused.status, refused.code) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        await second.close()
        await first.close()
        while (await gateway.http("GET", "/v1/load")).json["calls"]:
            pass
        await (await called(gateway, Listener())).close()

    served(tmp_path, talk, max_calls=1)


def test_an_offer_that_is_refused_for_another_reason_keeps_no_place(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for _ in range(3):
            assert (await gateway.http("POST", "/v1/realtime/calls", "nonsense", SDP)).status == 400
        await (await called(gateway, Listener())).close()

    served(tmp_path, talk, max_calls=1)


def test_a_stock_socket_too_many_is_refused_before_it_is_upgraded(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as first:
            await first.get("session.created")
            with pytest.raises(InvalidStatus) as caught:
                async with gateway.socket("model=m", STOCK):
                    pass
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"]
        assert json.loads(caught.value.response.body)["error"]["code"] == "overloaded"

    served(tmp_path, talk, max_calls=1)


def test_an_extended_socket_without_a_place_to_speak_goes_on_by_text(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK), gateway.socket("model=m", EXTENDED) as socket:
            await socket.get("session.created")
            wanted = {"type": "realtime", "output_modalities": ["audio"]}
            await socket.send("session.update", session=wanted)
            assert (await socket.get("error"))["error"]["code"] == "overloaded"
            await socket.ask("What time is it?")
            assert (await socket.get("response.done"))["response"]["status"] == "completed"

    served(tmp_path, talk, max_calls=1)


def test_a_socket_too_many_is_refused(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket():
            with pytest.raises(InvalidStatus) as caught:
                async with gateway.socket():
                    pass
        assert caught.value.response.status_code == 503

    served(tmp_path, talk, max_connections=1)


def test_what_stays_late_ends_the_newest_call_and_tells_why(tmp_path: Path) -> None:
    """The lateness comes through the port; the rest is real."""

    async def main() -> None:
        async with asyncio.timeout(30), serving(tmp_path, engines=engines()) as gateway:
            admission = gateway.services.admission
            everyone = [Listener() for _ in range(KEPT + 1)]
            peers = [await called(gateway, ears) for ears in everyone]
            late(admission, 1_000.0, 6)
            *others, newest = everyone
            await newest.until(lambda: bool(newest.ends))
            assert codes(newest) == ["overloaded"]
            assert not any(ears.ends or codes(ears) for ears in others)
            stranger = await Peer.offer(Listener(), mute)
            assert (await gateway.http("POST", "/v1/realtime/calls", stranger.offer_sdp, SDP)).code == "overloaded"
            told = (await gateway.http("GET", "/v1/load")).json
            assert told["load"] != "open"
            assert (told["calls"], told["shed"], told["refused"]) == (KEPT, 1, 1)
            await asyncio.gather(stranger.close(), *(peer.close() for peer in peers))

    asyncio.run(main())


def test_a_socket_that_speaks_is_shed_with_a_close_code(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), serving(tmp_path, engines=engines()) as gateway:
            peers = [await called(gateway, Listener()) for _ in range(KEPT)]
            async with gateway.socket() as socket:
                session = (await socket.get("session.created"))["session"]["id"]
                await socket.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
                await socket.get("session.updated")
                late(gateway.services.admission, 1_000.0, 6)
                assert await socket.close_code() == 4503
                assert socket.all("error")[0]["error"]["code"] == "overloaded"
            async with gateway.socket(f"session={session}") as again:
                await again.ask("Are you there?")
                assert (await again.get("response.done"))["response"]["status"] == "completed"
            await asyncio.gather(*(peer.close() for peer in peers))

    asyncio.run(main())
