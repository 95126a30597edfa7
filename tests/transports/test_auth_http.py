"""Who may do what by plain requests: each route behind tenants and rights, readers cut when theirs are taken away."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.auth.rights import ALL, Right, names
from gateway.transports.errand import POSTED
from gateway.transports.guard import LOOKS_ITSELF
from gateway.transports.operations import Operation
from gateway.transports.permits import NEEDS
from gateway.transports.routes import OPERATIONS
from tests.protocol.examples import examples
from tests.transports.inbox import Json
from tests.transports.knocking import EVERYTHING, bearer, by, opened, post, secret_of, served, token
from tests.transports.reader import reading
from tests.transports.server import Answer, Gateway, Socket

NOBODYS = "sess_00nobodyhasthissessionatall"
WHERE: tuple[tuple[str, str], ...] = tuple((it.method, it.path) for it in OPERATIONS if "{session_id}" in it.path)
HELLO = {
    "type": "conversation.item.create",
    "item": {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
}
TAGS = {str(kind.__struct_config__.tag) for kind in POSTED}
POSTS = {sent["type"]: sent for sent in examples("client") if sent["type"] in TAGS}


async def ask(gateway: Gateway, method: str, path: str, given: str, body: Json | None = None) -> Answer:
    sent = json.dumps(body) if body is not None else None
    return await gateway.http(method, path, sent, {**bearer(given), "Content-Type": "application/json"})


async def session_of(gateway: Gateway, given: str = "") -> str:
    answer = await post(gateway, "/v1/sessions", {}, given or token())
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


async def seq_of(gateway: Gateway, session: str) -> int:
    return int((await ask(gateway, "GET", f"/v1/sessions/{session}", token())).json["seq"])


# --- tenants ---


@pytest.mark.parametrize(("method", "path"), WHERE)
def test_a_session_of_others_is_like_one_that_nobody_has(tmp_path: Path, method: str, path: str) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        for query in ("", "?wait=0", "?limit=1", "?before=item_unknown"):
            answers = []
            for tenant, rights in (("other", EVERYTHING), ("acme", {"sess_00x": ["*"]}), ("acme", {"bob:*": ["*"]})):
                for wanted in (session, NOBODYS, "nonsense"):
                    where = path.replace("{session_id}", wanted) + query
                    body = HELLO if method == "POST" else None
                    answer = await ask(gateway, method, where, token("eve", rights, tenant=tenant), body)
                    answers.append((answer.status, answer.body, sorted(set(answer.headers) - {"date"})))
            assert answers[0][0] == 404
            assert b"session_not_found" in answers[0][1]
            assert all(answer == answers[0] for answer in answers)
        assert await seq_of(gateway, session) == 1

    served(tmp_path, talk)


def test_a_session_belongs_to_the_tenant_and_the_user_who_opened_it_by_request(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway, token("bob"))
        for given, status in (
            (token("eve", {"bob:*": ["read"]}), 200),
            (token("eve", {"ada:*": ["read"]}), 404),
            (token("bob", tenant="other"), 404),
        ):
            assert (await ask(gateway, "GET", f"/v1/sessions/{session}", given)).status == status

    served(tmp_path, talk)


def test_every_route_looks_at_rights_or_is_the_operators() -> None:
    closed = {it.path for it in OPERATIONS if not it.open}
    assert {path for path in closed if LOOKS_ITSELF.fullmatch(path) is None} == {"/v1/load"}


@pytest.mark.parametrize("operation", [it for it in OPERATIONS if not it.open], ids=lambda it: f"{it.method} {it.path}")
def test_who_has_no_rights_gets_nothing(tmp_path: Path, operation: Operation) -> None:
    """But for what everybody who is let in may know: whether it serves, and how to call it."""

    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        where = operation.path.replace("{session_id}", session).replace("{call_id}", "rtc_unknown")
        answer = await ask(gateway, operation.method, where, token("eve", {"*": []}), {})
        served = {"/readyz", "/v1/realtime/ice_servers", "/v1/realtime/client_secrets"}
        lists = (operation.method, where) == ("GET", "/v1/sessions")  # of what eve may read, which is nothing
        assert answer.status in ([200] if where in served or lists else [400, 403, 404, 503])
        assert session.encode() not in answer.body

    served(tmp_path, talk)


# --- rights ---


@pytest.mark.parametrize(("method", "path"), [it for it in WHERE if it[0] == "GET"])
def test_who_may_not_read_reads_nothing_by_request(tmp_path: Path, method: str, path: str) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        given = token("mic", {"*": names(ALL - {Right.READ})})
        for query in ("", "?wait=0"):
            answer = await ask(gateway, method, path.replace("{session_id}", session) + query, given)
            assert (answer.status, answer.code) == (403, "missing_right_read")

    served(tmp_path, talk)


def test_who_may_not_send_opens_no_session_by_request(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), bargein={"session_id": await session_of(gateway)})
        for given in (token("eve", {"*": ["read"]}), token("eve", {"sess_00a": ["*"]}), secret):
            answer = await post(gateway, "/v1/sessions", {}, given)
            assert (answer.status, answer.code) == (403, "missing_right_send")

    served(tmp_path, talk)


def test_who_opens_a_session_and_may_not_read_is_not_told_its_instructions(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        given = token("mic", {"*": ["send"]})
        assert (await post(gateway, "/v1/sessions", {}, given)).json["instructions"] == ""
        assert (await post(gateway, "/v1/sessions", {}, token())).json["instructions"] == "A secret."

    served(tmp_path, talk, instructions="A secret.")


@pytest.mark.parametrize("kind", sorted(TAGS))
def test_a_posted_event_needs_the_rights_of_the_event(tmp_path: Path, kind: str) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        for right in NEEDS[kind]:
            given = token("eve", {"*": names(ALL - {right})})
            answer = await post(gateway, f"/v1/sessions/{session}/events", POSTS[kind], given)
            assert (answer.status, answer.code) == (403, f"missing_right_{right.value}")
        assert await seq_of(gateway, session) == 1

    served(tmp_path, talk)


def test_without_the_right_to_send_no_event_that_says_anything_is_posted(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        for rights in (["read"], names(ALL - {Right.SEND})):
            answer = await post(gateway, f"/v1/sessions/{session}/events", HELLO, token("eve", {"*": rights}))
            assert (answer.status, answer.code) == (403, "missing_right_send")
        assert (await post(gateway, f"/v1/sessions/{session}/events", HELLO, token())).status == 200
        assert await seq_of(gateway, session) > 1

    served(tmp_path, talk)


def test_what_all_share_is_changed_by_request_with_that_right_alone(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        change = {"type": "session.update", "session": {"instructions": "Obey."}}
        where = f"/v1/sessions/{session}/events"
        answer = await post(gateway, where, change, token("eve", {"*": names(ALL - {Right.CHANGE_SETTINGS})}))
        assert (answer.status, answer.code) == (403, "missing_right_change_settings")
        assert (await post(gateway, where, change, token())).status == 200

    served(tmp_path, talk)


def test_keys_of_two_users_are_two_keys_by_request_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        answers = []
        for user in ("ada", "bob", "ada"):
            body = {**HELLO, "idempotency_key": "k"}
            answers.append((await post(gateway, f"/v1/sessions/{session}/events", body, token(user))).json["duplicate"])
        assert answers == [False, False, True]

    served(tmp_path, talk)


# --- client secrets ---


def test_a_secret_is_used_up_by_a_request_and_followed_by_a_token_that_is_not(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), session={"instructions": "Mine."}, bargein={"once": True})
        answer = await post(gateway, "/v1/sessions", {}, secret)
        session, follows = answer.json["id"], answer.headers["bargein-resume-token"]
        assert answer.json["instructions"] == "Mine."
        assert (await post(gateway, "/v1/sessions", {}, secret)).status == 401
        where = f"/v1/sessions/{session}/events"
        for _ in range(3):
            answer = await post(gateway, where, HELLO, follows)
            assert (answer.status, answer.headers.get("bargein-resume-token")) == (200, None)
            assert (await ask(gateway, "GET", f"{where}?wait=0", follows)).status == 200
        other = await session_of(gateway)
        assert (await post(gateway, f"/v1/sessions/{other}/events", HELLO, follows)).status == 404
        async with reading(gateway, session, Authorization=f"Bearer {follows}") as reader:
            created = await reader.get("session.created")
            assert created["session"]["bargein"]["resume_token"] != follows

    served(tmp_path, talk)


def test_requests_open_as_many_sessions_by_a_secret_as_they_like(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), session={"instructions": "Mine."})
        answers = [await post(gateway, "/v1/sessions", {}, secret) for _ in range(2)]
        assert [it.json["instructions"] for it in answers] == ["Mine."] * 2
        one, other = [it.json["id"] for it in answers]
        follows = answers[0].headers["bargein-resume-token"]
        assert one != other
        for session, status in ((one, 200), (other, 404)):
            where = f"/v1/sessions/{session}/events"
            assert (await post(gateway, where, HELLO, follows)).status == status
            assert (await post(gateway, where, HELLO, secret)).status == 200

    served(tmp_path, talk)


@pytest.mark.parametrize("query", ["", "?wait=0"])
def test_who_lacks_a_right_or_a_session_keeps_the_secret(tmp_path: Path, query: str) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        secret = await secret_of(gateway, token(), bargein={"rights": ["send"]})
        for wanted, status in ((session, 403), (NOBODYS, 404)):
            assert (await ask(gateway, "GET", f"/v1/sessions/{wanted}/events{query}", secret)).status == status
        assert (await post(gateway, f"/v1/sessions/{session}/events", HELLO, secret)).status == 200

    served(tmp_path, talk)


def test_a_refused_command_brings_the_token_that_follows_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        secret = await secret_of(gateway, token())
        refused = {"type": "conversation.item.delete", "item_id": "nothing"}
        answer = await post(gateway, f"/v1/sessions/{session}/events", refused, secret)
        assert (answer.status, answer.headers["bargein-resume-token"][:3]) == (409, "rt_")

    served(tmp_path, talk)


# --- readers whose rights are taken away ---


async def revoke(gateway: Gateway, rights: list[str]) -> None:
    answer = await post(gateway, "/v1/auth/revocations", {"user": "bob", "rights": rights}, token("root"))
    assert answer.status == 201


@pytest.mark.parametrize("left", [[], ["send"]])
def test_a_stream_ends_when_its_reader_may_not_read_any_more(tmp_path: Path, left: list[str]) -> None:
    agent = ScriptedAgent([Say("One "), Hold(), Say("two.")])

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            async with reading(gateway, session, Authorization=f"Bearer {token('bob')}") as bob:
                await ada.ask("go")
                await bob.get("response.output_text.delta")
                await revoke(gateway, left)
                await bob.inbox.until(lambda: bob.inbox.closed)
                seen = len(bob.got)
                agent.release()
                await ada.get("response.done")
                assert len(bob.got) == seen
            async with reading(gateway, session, Authorization=f"Bearer {token('bob')}") as again:
                assert again.status == (403 if left else 401)

    served(tmp_path, talk, agent)


def test_a_stream_goes_on_when_other_rights_are_taken_away(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            async with reading(gateway, session, Authorization=f"Bearer {token('bob')}") as bob:
                await bob.get("session.snapshot")
                await revoke(gateway, ["read"])
                assert (await bob.get("auth.changed"))["rights"] == ["read"]
                await ada.say("still there?")
                await bob.get("conversation.item.done")

    served(tmp_path, talk)


@pytest.mark.parametrize(
    ("left", "status", "code"), [([], 401, "invalid_api_key"), (["send"], 403, "missing_right_read")]
)
def test_a_poll_that_waits_is_refused_when_its_reader_may_not_read_any_more(
    tmp_path: Path, left: list[str], status: int, code: str
) -> None:
    async def talk(gateway: Gateway) -> None:
        session = await session_of(gateway)
        where, bob = f"/v1/sessions/{session}/events", token("bob")
        cursor = (await ask(gateway, "GET", f"{where}?wait=0", bob)).json["cursor"]
        watch = gateway.app.state.authority.watch
        polling = asyncio.create_task(ask(gateway, "GET", f"{where}?wait=20&after={cursor}", bob))
        while not len(watch):  # noqa: ASYNC110 - the gateway tells nobody that a poll has begun
            await asyncio.sleep(0.01)
        await revoke(gateway, left)
        answer = await polling
        assert (answer.status, answer.code) == (status, code)

    served(tmp_path, talk)


# --- who is here ---


def test_a_member_is_a_device_of_a_user(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("device=phone", **by(token())) as ada:
            session = await opened(ada)
            async with gateway.socket(f"session={session}&device=phone", **by(token("bob"))) as bob:
                snapshot = await bob.get("presence.snapshot")
                assert snapshot["you"] in ("bob/phone", None)
                await ada.inbox.until(lambda: {"ada/phone", "bob/phone"} <= set(members(ada)))
                assert members(ada)["bob/phone"]["user"] == "bob"

    served(tmp_path, talk)


def members(told: Socket) -> dict[str, Json]:
    """Everybody who was told of."""
    known = told.inbox.presence
    return {it["id"]: it for event in known for it in [*event.get("members", ()), *event.get("joined", ())]}


def test_who_may_not_read_is_not_told_who_is_here_or_what_it_is_about(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("name=Secret&device=hidden", **by(token())) as ada:
            session = await opened(ada)
            await ada.send("session.update", session={"bargein": {"metadata": {"topic": "secret"}}})
            await ada.get("session.updated")
            async with gateway.socket(f"session={session}", **by(token("mic", {"*": ["send"]}))) as mic:
                await ada.inbox.until(lambda: any(it.get("user") == "mic" for it in members(ada).values()))
                await mic.send("reaction.send", reaction="x", event_id="m1")
                await mic.get("command.accepted")
                assert set(mic.types()) == {"session.created", "command.accepted"}
                assert "ecret" not in json.dumps(mic.got)
                assert "hidden" not in json.dumps(mic.got)
                assert mic.inbox.presence == []

    served(tmp_path, talk)


def test_words_are_removed_by_who_may_steer_alone(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            await ada.say("a secret")
            item = (await ada.get("conversation.item.done"))["item"]["id"]
            wish: dict[str, Any] = {"type": "conversation.item.redact", "item_id": item}
            where = f"/v1/sessions/{session}/events"
            answer = await post(gateway, where, wish, token("eve", {"*": names(ALL - {Right.STEER})}))
            assert (answer.status, answer.code) == (403, "missing_right_steer")
            assert (await post(gateway, where, wish, token("eve", {"*": ["steer"]}))).status == 200
            await ada.get("conversation.item.redacted")

    served(tmp_path, talk)


def test_what_another_user_said_is_put_right_by_an_administrator_alone(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            await ada.say("helo")
            item = (await ada.get("conversation.item.done"))["item"]["id"]
            words = [{"type": "input_text", "text": "hello"}]
            wish = {"type": "conversation.item.update", "mode": "correct", "item_id": item, "content": words}
            where = f"/v1/sessions/{session}/events"
            bob = token("bob", {"*": names(ALL - {Right.ADMINISTER})})
            answer = await post(gateway, where, wish, bob)
            assert (answer.status, answer.code) == (403, "missing_right_administer")
            async with gateway.socket(f"session={session}", **by(bob)) as socket:
                await socket.raw(json.dumps({**wish, "event_id": "b1"}))
                assert (await socket.get("command.rejected"))["code"] == "missing_right_administer"
            assert (await post(gateway, where, wish, token(rights={"*": ["steer"]}))).status == 200
            assert (await ada.get("conversation.item.done", 2))["item"]["version"]["by"] == "ada"
            assert (await post(gateway, where, wish, token("root"))).status == 200
            assert (await ada.get("conversation.item.done", 3))["item"]["version"]["by"] == "root"

    served(tmp_path, talk)
