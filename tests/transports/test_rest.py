"""Sessions over plain requests: open, read, tell."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.transports.rest import POSTS_A_SECOND
from tests.transports.server import Answer, Gateway, serving


async def opened(gateway: Gateway, **body: Any) -> str:
    answer = await gateway.http("POST", "/v1/sessions", json.dumps(body), {"Content-Type": "application/json"})
    assert answer.status == 201
    assert answer.headers["location"] == f"/v1/sessions/{answer.json['id']}"
    return str(answer.json["id"])


async def post(gateway: Gateway, session: str, kind: str, key: str = "", /, **fields: Any) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    body = json.dumps({"type": kind, **fields})
    return await gateway.http("POST", f"/v1/sessions/{session}/events", body, headers)


def message(text: str, **fields: Any) -> dict[str, Any]:
    return {"item": {"role": "user", "content": [{"type": "input_text", "text": text}], **fields}}


async def texts(gateway: Gateway, session: str, query: str = "") -> list[str]:
    found = (await gateway.http("GET", f"/v1/sessions/{session}/items?{query}")).json
    return [item["content"][0]["text"] for item in found["items"]]


# --- sessions ---


def test_a_session_is_opened_with_its_settings_and_can_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, instructions="Ours.") as gateway:
            plain = await gateway.http("POST", "/v1/sessions")
            assert (plain.status, plain.json["instructions"], plain.json["seq"]) == (201, "Ours.", 1)
            wanted = {"instructions": "Be brief.", "audio": {"output": {"voice": "ash"}}, "bargein": {"language": "de"}}
            session = await opened(gateway, model="m", session=wanted)
            found = (await gateway.http("GET", f"/v1/sessions/{session}")).json
            assert (found["id"], found["model"], found["instructions"]) == (session, "m", "Be brief.")
            assert (found["voice"], found["language"], found["responses"]) == ("ash", "de", [])
            assert found["created_at"] > 1_700_000_000

    asyncio.run(main())


def test_a_session_that_runs_says_what_runs(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session = await opened(gateway)
            await post(gateway, session, "conversation.item.create", **message("hi"))
            await post(gateway, session, "response.create")
            await agent.holding()
            (running,) = (await gateway.http("GET", f"/v1/sessions/{session}")).json["responses"]
            assert (running["generating"], running["sounding"]) == (True, False)

    asyncio.run(main())


def test_what_waits_is_read_changed_and_answered(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()], "Seven.")
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session = await opened(gateway)
            path = f"/v1/sessions/{session}/queue"
            await post(gateway, session, "response.create", input="Count.")
            await agent.holding()
            asked = await post(gateway, session, "response.create", event_id="q", on_active="queue", input="And six?")
            waits = (await gateway.http("GET", path)).json
            assert (asked.json["seq"], [it["text"] for it in waits["items"]]) == (waits["seq"], ["And six?"])
            item_id = waits["items"][0]["id"]
            await post(gateway, session, "queue.update", action="edit", item_id=item_id, text="And seven?")
            assert (await gateway.http("GET", path)).json["items"][0]["text"] == "And seven?"
            assert "effect" not in (await post(gateway, session, "response.cancel")).json
            while (await gateway.http("GET", f"/v1/sessions/{session}")).json["responses"]:
                pass
            page = (await gateway.http("GET", f"/v1/sessions/{session}/items")).json["items"]
            assert [it["content"][0]["text"] for it in page] == ["Count.", "One ", "And seven?", "Seven."]
            assert (await gateway.http("GET", path)).json["items"] == []
            assert (await post(gateway, session, "response.cancel")).json["effect"] == "none"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_value"),
        ('{"model": 1}', 400, "invalid_value"),
        ('{"session": {"bargein": {"language": "german"}}}', 400, "invalid_value"),
        ('{"session": {"bargein": {"stop_words": ["!"]}}}', 400, "invalid_value"),
        ("[" * 40, 400, "invalid_json"),
        ('{"model": "' + "x" * 70_000 + '"}', 413, "event_too_large"),
    ],
)
def test_a_session_is_not_opened_by_what_makes_no_sense(tmp_path: Path, body: str, status: int, code: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http("POST", "/v1/sessions", body)
            assert (answer.status, answer.code) == (status, code)
            assert len(gateway.services.registry) == 0
            form = await gateway.http("POST", "/v1/sessions", "a=b", {"Content-Type": "text/plain"})
            assert (form.status, form.code) == (415, "unsupported_content_type")

    asyncio.run(main())


@pytest.mark.parametrize(
    "session", ["sess_00nobody", "nonsense", "%00", "sess_00%ff", "sess_00%F0%9F%98%80", "x" * 3000]
)
def test_a_session_that_nobody_knows_is_not_found(tmp_path: Path, session: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            for method, path in (("GET", ""), ("GET", "/items"), ("GET", "/events"), ("GET", "/events?wait=1")):
                answer = await gateway.http(method, f"/v1/sessions/{session}{path}")
                assert (answer.status, answer.code) == (404, "session_not_found")
            assert (await post(gateway, session, "response.create")).code == "session_not_found"

    asyncio.run(main())


def test_a_log_that_fails_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            session = await opened(gateway)
            await gateway.services.store.aclose()
            path = f"/v1/sessions/{session}"
            answers = [
                await post(gateway, session, "conversation.item.create", **message("hi")),
                await gateway.http("GET", path),
                await gateway.http("GET", f"{path}/items"),
                await gateway.http("GET", f"{path}/events?wait=0"),
                await gateway.http("POST", "/v1/sessions"),
            ]
            assert {(answer.status, answer.code) for answer in answers} == {(503, "store_unavailable")}
            assert all(str(tmp_path) not in answer.body.decode() for answer in answers)

    asyncio.run(main())


# --- what was said ---


def test_what_was_said_can_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", [Say("Two "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]
            await socket.ask("hello")
            await socket.get("response.done")
            await socket.ask("more")
            await socket.get("response.output_text.delta", 2)
            found = (await gateway.http("GET", f"/v1/sessions/{session['id']}/items")).json
            assert (found["session_id"], found["epoch"]) == (session["id"], session["bargein"]["epoch"])
            assert found["seq"] == max(event.get("seq", 0) for event in socket.got)
            said = [(item["role"], item["status"], item["content"][0]["text"]) for item in found["items"]]
            assert said == [
                ("user", "completed", "hello"),
                ("assistant", "completed", "One."),
                ("user", "completed", "more"),
                ("assistant", "in_progress", "Two "),
            ]

    asyncio.run(main())


def test_history_is_read_in_pages_both_ways(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            session = await opened(gateway)
            for number in range(7):
                await post(gateway, session, "conversation.item.create", **message(str(number), id=f"item_{number}"))
            assert await texts(gateway, session) == list("0123456")
            assert await texts(gateway, session, "limit=2") == ["5", "6"]
            assert await texts(gateway, session, "limit=2&before=item_5") == ["3", "4"]
            assert await texts(gateway, session, "limit=3&before=item_2") == ["0", "1"]
            assert await texts(gateway, session, "before=item_0") == []
            assert await texts(gateway, session, "limit=2&after=item_0") == ["1", "2"]
            assert await texts(gateway, session, "after=item_6") == []
            assert await texts(gateway, session, "after=item_1&before=item_5") == ["2", "3", "4"]
            assert await texts(gateway, session, "after=item_1&before=item_5&limit=2") == ["2", "3"]
            assert await texts(gateway, session, "after=item_5&before=item_1") == []
            path = f"/v1/sessions/{session}/items"
            for query, before, after in (
                ("limit=7", False, False),
                ("limit=3", True, False),
                ("after=item_1", True, 0),
            ):
                found = (await gateway.http("GET", f"{path}?{query}")).json
                assert (found["has_before"], found["has_after"]) == (before, bool(after))
            page = (await gateway.http("GET", f"{path}?limit=2&before=item_5")).json
            assert (page["has_before"], page["has_after"], page["session_id"]) == (True, True, session)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 400, "invalid_value"),
        ("limit=1001", 400, "invalid_value"),
        ("limit=-1", 400, "invalid_value"),
        ("limit=1e3", 400, "invalid_value"),
        ("limit=%D9%A3", 400, "invalid_value"),
        ("limit=", 400, "invalid_value"),
        ("before=nobody", 404, "item_not_found"),
        ("after=", 404, "item_not_found"),
        ("before=item_0&after=nobody", 404, "item_not_found"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused(tmp_path: Path, query: str, status: int, code: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http("GET", f"/v1/sessions/{await opened(gateway)}/items?{query}")
            assert (answer.status, answer.code) == (status, code)

    asyncio.run(main())


def test_finished_history_is_not_sent_twice(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold(), Say("two.")])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session = await opened(gateway)
            path = f"/v1/sessions/{session}/items?limit=1"
            for item_id in ("item_0", "item_1"):
                await post(gateway, session, "conversation.item.create", **message("hi", id=item_id))
            older_path = f"{path}&before=item_1"
            older = {"If-None-Match": (await gateway.http("GET", older_path)).headers["etag"]}
            first = await gateway.http("GET", path)
            etag = first.headers["etag"]
            for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
                again = await gateway.http("GET", path, headers={"If-None-Match": known})
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
            assert (await gateway.http("GET", path, headers={"If-None-Match": '"other"'})).status == 200
            await post(gateway, session, "response.create")
            await agent.holding()
            open_page = await gateway.http("GET", path, headers={"If-None-Match": etag})
            assert open_page.status == 200
            assert "etag" not in open_page.headers
            assert (await gateway.http("GET", older_path, headers=older)).status == 304
            await post(gateway, session, "conversation.item.delete", item_id="item_0")
            assert (await gateway.http("GET", older_path, headers=older)).status == 200
            await post(gateway, session, "response.cancel")

    asyncio.run(main())


# --- commands ---


def test_a_posted_event_takes_effect_and_says_where(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.")
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session = await opened(gateway)
            async with gateway.socket(f"session={session}") as socket:
                said = await post(gateway, session, "conversation.item.create", **message("hi"))
                assert said.json == {"seq": 2, "duplicate": False, "accepted": True}
                assert (await post(gateway, session, "response.create")).status == 200
                await socket.get("response.done")
                updated = await post(gateway, session, "session.update", session={"instructions": "New."})
                assert updated.status == 200
                assert (await socket.get("session.updated"))["seq"] == updated.json["seq"]
                same = await post(gateway, session, "session.update", session={"instructions": "New."})
                assert same.json == updated.json
                assert not socket.all("command.accepted")
            assert await texts(gateway, session) == ["hi", "One."]

    asyncio.run(main())


def test_an_idempotency_key_makes_many_posts_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            session = await opened(gateway)
            kind = "conversation.item.create"
            answers = await asyncio.gather(*(post(gateway, session, kind, "k1", **message("hi")) for _ in range(5)))
            assert sorted(answer.json["duplicate"] for answer in answers) == [False, True, True, True, True]
            in_body = await post(gateway, session, kind, **message("hi"), idempotency_key="k1")
            assert in_body.json["duplicate"] is True
            other = await post(gateway, session, kind, "k1", **message("ho"))
            assert (other.status, other.code) == (422, "idempotency_conflict")
            two = await post(gateway, session, kind, "k1", **message("hi"), idempotency_key="k2")
            assert (two.status, two.json["error"]["param"]) == (400, "Idempotency-Key")
            long = await post(gateway, session, kind, "k" * 256, **message("hi"))
            assert (long.status, long.code) == (400, "invalid_value")
            assert await texts(gateway, session) == ["hi"]

    asyncio.run(main())


def test_a_refusal_has_the_code_that_a_socket_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session = await opened(gateway)
            await post(gateway, session, "conversation.item.create", **message("hi", id="item_1"))
            await post(gateway, session, "response.create")
            await agent.holding()
            refused: list[tuple[str, dict[str, Any]]] = [
                ("response.create", {}),
                ("response.steer", {"previous_response_id": "resp_nobody", "input": "No."}),
                ("queue.update", {"action": "withdraw", "item_id": "nobody"}),
                ("conversation.item.create", message("hi", id="item_1")),
                ("conversation.item.create", {**message("hi"), "previous_item_id": "nobody"}),
                ("conversation.item.delete", {"item_id": "nobody"}),
                ("conversation.item.truncate", {"item_id": "nobody", "audio_end_ms": 1}),
                ("output_audio_buffer.pause", {}),
            ]
            async with gateway.socket(f"session={session}") as socket:
                for number, (kind, fields) in enumerate(refused, 1):
                    answer = await post(gateway, session, kind, event_id="evt", **fields)
                    await socket.send(kind, event_id="evt", **fields)
                    told = await socket.get("command.rejected", number)
                    error = answer.json["error"]
                    assert answer.status == 409
                    assert (error["code"], error["message"], error["event_id"]) == (
                        told["code"],
                        told["message"],
                        "evt",
                    )
                    assert error["param"] == told.get("param")
                assert len(socket.all("command.rejected")) == len(refused)
            assert (await post(gateway, session, "response.cancel")).status == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("nothing", {}, "unknown_event_type"),
        ("conversation.item.create", {}, "missing_required_parameter"),
        ("conversation.item.truncate", {"item_id": "i", "audio_end_ms": -1}, "invalid_value"),
        ("input_audio_buffer.append", {"audio": "AAAA"}, "invalid_event_for_transport"),
        ("input_audio_buffer.commit", {}, "invalid_event_for_transport"),
        ("input_audio_buffer.push_to_talk", {"state": "down"}, "invalid_event_for_transport"),
        ("input_audio_buffer.mute", {"muted": True}, "invalid_event_for_transport"),
        ("conversation.item.retrieve", {"item_id": "i"}, "invalid_event_for_transport"),
        ("queue.update", {"action": "list"}, "invalid_event_for_transport"),
        ("queue.update", {"action": "edit", "item_id": "i"}, "missing_required_parameter"),
        ("response.create", {"replaces": "item_1", "input": "Again."}, "invalid_value"),
        ("session.resume", {"epoch": "e", "seq": 1}, "invalid_event_for_transport"),
        ("playback.report", {"buffered_ms": 1}, "invalid_event_for_transport"),
        ("session.update", {"session": {"output_modalities": ["text"]}}, "invalid_event_for_transport"),
        ("session.update", {"session": {"audio": {"input": {}}}}, "invalid_event_for_transport"),
    ],
)
def test_an_event_that_cannot_be_posted_is_refused(
    tmp_path: Path, kind: str, fields: dict[str, Any], code: str
) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            session = await opened(gateway)
            answer = await post(gateway, session, kind, event_id="evt", **fields)
            assert (answer.status, answer.code, answer.json["error"]["event_id"]) == (400, code, "evt")
            assert (await gateway.http("GET", f"/v1/sessions/{session}")).json["seq"] == 1

    asyncio.run(main())


def test_a_flood_of_posts_is_refused_and_keeps_no_stop_out(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway:
            session, other = await opened(gateway), await opened(gateway)
            await post(gateway, session, "response.create")
            await agent.holding()
            now = gateway.services.clock.now()
            for _ in range(round(POSTS_A_SECOND * 4)):  # as so many requests would
                gateway.app.state.posts.check(session, stops=False, now=now + 60)
            flooded = await post(gateway, session, "response.create")
            assert (flooded.status, flooded.code, flooded.headers["retry-after"]) == (429, "rate_limited", "1")
            assert (await post(gateway, session, "response.cancel")).status == 200
            assert (await post(gateway, other, "session.update", session={})).status == 200

    asyncio.run(main())


# --- methods ---


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("PUT", "/v1/sessions/x/events", 405, "GET, POST, OPTIONS"),
        ("HEAD", "/v1/sessions/x/events", 405, "GET, POST, OPTIONS"),
        ("DELETE", "/v1/sessions", 405, "GET, POST, HEAD, OPTIONS"),
        ("TRACE", "/healthz", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/v1/sessions/x/items", 204, "GET, HEAD, OPTIONS"),
        ("HEAD", "/healthz", 200, None),
    ],
)
def test_every_path_knows_its_methods(tmp_path: Path, method: str, path: str, status: int, allowed: str | None) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http(method, path)
            assert (answer.status, answer.headers.get("allow")) == (status, allowed)

    asyncio.run(main())
