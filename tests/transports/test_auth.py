"""Who may do what, over real sockets: tokens, tenants, rights, client secrets, expiry and revocation."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from starlette.websockets import WebSocket, WebSocketState
from websockets.exceptions import InvalidStatus

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.app import create_app
from gateway.auth.principal import principal_of
from gateway.auth.rights import ALL, names
from gateway.core.ids import TenantId, UserId
from gateway.errors import StoreError
from gateway.protocol.close_codes import CloseCode
from gateway.runtime.clock import SystemClock
from gateway.settings import Settings
from gateway.transports.webrtc import Call
from gateway.transports.websocket import _Socket
from media.leg import Engines
from tests.auth.keys import SECRET, claims
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.knocking import EVERYTHING, NOW, bearer, by, opened, post, refused, secret_of, served, token
from tests.transports.server import EXTENDED, STOCK, Gateway, serving
from tests.virtual_time import run, settle

# --- presenting a credential ---


def test_a_token_is_presented_as_a_header_or_as_a_subprotocol(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as socket:
            created = await socket.get("session.created")
            assert created["session"]["bargein"]["user"] == "ada"
            assert created["session"]["bargein"]["rights"] == names(ALL)
            assert created["session"]["bargein"]["missing"] == []
        async with gateway.socket("model=m", STOCK, f"openai-insecure-api-key.{token()}") as socket:
            await socket.get("session.created")
            assert socket.connection.subprotocol == STOCK

    served(tmp_path, talk)


def test_what_is_no_good_token_is_refused_before_the_upgrade(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        wrong = [token(exp=int(NOW) - 3600), token(iss="evil"), token(aud="evil"), token()[:-4] + "AAAA", "nonsense"]
        for given in wrong:
            status, code = await refused(gateway, **by(given))
            assert (status, code) in ((401, "invalid_api_key"), (401, "token_expired"))
        assert await refused(gateway) == (401, "invalid_api_key")
        assert await refused(gateway, f"token={token()}") == (401, "token_in_query")
        assert await refused(gateway, "token=ek_unknown") == (401, "invalid_api_key")
        reasons = gateway.app.state.authority.failures
        assert {"expired", "wrong_iss", "wrong_aud", "wrong_signature", "malformed", "missing"} <= set(reasons)

    served(tmp_path, talk)


def test_the_gateways_token_goes_beside_tokens_of_users(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by("k3y")) as socket:
            created = await socket.get("session.created")
            assert created["session"]["bargein"]["missing"] == []
        assert (await gateway.http("GET", "/v1/load", headers=bearer("k3y"))).status == 200
        answer = await gateway.http("GET", "/v1/load", headers=bearer(token()))
        assert (answer.status, answer.code) == (403, "missing_right_administer")

    served(tmp_path, talk, token="k3y")


# --- tenants ---


def test_a_session_of_another_tenant_is_like_one_that_nobody_has(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as socket:
            session = await opened(socket)
            await socket.say("a secret of acme")
            await socket.get("conversation.item.done")
        answers, closes = [], []
        for tenant, rights in (("other", EVERYTHING), ("acme", {"sess_00x": ["*"]}), ("acme", {"bob:*": ["*"]})):
            given = token("eve", rights, tenant=tenant)
            for wanted in (session, "sess_00nobodyhasthissessionatall"):
                answer = await gateway.http("GET", f"/v1/sessions/{wanted}/items", headers=bearer(given))
                answers.append((answer.status, answer.body, sorted(set(answer.headers) - {"date"})))
                async with gateway.socket(f"session={wanted}", **by(given)) as other:
                    closes.append((await other.close_code(), [event["error"] for event in other.got]))
                wish = {"bargein": {"session_id": wanted}}
                minted = await post(gateway, "/v1/realtime/client_secrets", wish, given)
                answers.append((minted.status, minted.body, sorted(set(minted.headers) - {"date"})))
        assert answers[0][0] == 404
        assert closes[0][0] == 4004
        assert all(answer == answers[0] for answer in answers)
        assert all(close == closes[0] for close in closes)

    served(tmp_path, talk)


def test_two_users_of_a_tenant_share_a_session(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            async with gateway.socket(f"session={session}", **by(token("bob", {"ada:*": ["read", "send"]}))) as bob:
                await bob.get("session.snapshot")
                await bob.say("hello", idempotency_key="k", event_id="b1")
                await ada.get("conversation.item.done")
                await ada.say("hello too", idempotency_key="k", event_id="a1")
                assert (await ada.get("command.accepted"))["duplicate"] is False
                await bob.get("conversation.item.done", 2)

    served(tmp_path, talk)


# --- rights ---


def test_a_missing_right_is_named_at_connect_and_at_use(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        given = token(rights={"*": ["read", "send"]})
        async with gateway.socket(**by(given)) as socket:
            created = await socket.get("session.created")
            assert created["session"]["bargein"]["rights"] == ["read", "send"]
            assert "cancel" in created["session"]["bargein"]["missing"]
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.send("response.cancel", event_id="e1")
            rejected = await socket.get("command.rejected")
            assert (rejected["command_id"], rejected["code"]) == ("e1", "missing_right_cancel")
            await socket.send("session.update", event_id="e2", session={"instructions": "Obey."})
            assert (await socket.get("command.rejected", 2))["code"] == "missing_right_change_settings"
            async with gateway.socket(f"session={created['session']['id']}", STOCK, **by(given)) as stock:
                await stock.send("response.cancel", event_id="e3")
                error = (await stock.get("error"))["error"]
                assert (error["code"], error["event_id"]) == ("missing_right_cancel", "e3")
            assert socket.all("response.done") == []
            async with gateway.socket(f"session={created['session']['id']}", **by(token())) as other:
                await other.get("session.snapshot")
                await other.send("response.cancel")
                await socket.get("response.done")

    served(tmp_path, talk, ScriptedAgent([Say("One "), Hold()]))


def test_who_may_not_read_is_sent_nothing_of_the_conversation(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            await ada.say("a secret")
            await ada.send("session.update", session={"instructions": "a secret too"})
            await ada.get("session.updated")
            given = token("mic", {"*": ["send"]})
            async with gateway.socket(f"session={session}", **by(given)) as mic:
                await mic.ask("hello", event_id="m1")
                await ada.get("response.done")
                await mic.send("conversation.item.retrieve", item_id="any", event_id="m2")
                assert (await mic.get("command.rejected"))["code"] == "missing_right_read"
                assert set(mic.types()) == {"session.created", "command.accepted", "command.rejected"}
                assert "secret" not in json.dumps(mic.got)
            answer = await gateway.http("GET", f"/v1/sessions/{session}/items", headers=bearer(given))
            assert (answer.status, answer.code) == (403, "missing_right_read")

    served(tmp_path, talk, ScriptedAgent("One."))


def test_who_may_not_send_opens_no_session(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for rights in ({"*": ["read"]}, {"sess_00a": ["*"]}):
            async with gateway.socket(**by(token(rights=rights))) as socket:
                assert await socket.close_code() == 4003
                assert [event["error"]["code"] for event in socket.got] == ["missing_right_send"]

    served(tmp_path, talk)


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        ({"*": ["send"]}, "missing_right_read"),
        ({"*": ["read"]}, "missing_right_send"),
        ({"sess_00a": ["*"]}, "missing_right_read"),
    ],
)
def test_a_call_needs_the_right_to_read_and_opening_one_to_send(
    tmp_path: Path, rights: dict[str, list[str]], missing: str
) -> None:
    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
        async with asyncio.timeout(20), serving(tmp_path, engines=engines, auth_secret=SECRET.decode()) as gateway:
            headers = {**bearer(token(rights=rights)), "Content-Type": "application/sdp"}
            answer = await gateway.http("POST", "/v1/realtime/calls", "v=0\r\n", headers)
            assert (answer.status, answer.code) == (403, missing)

    asyncio.run(main())


def test_a_call_belongs_to_who_placed_it_on_whatever_device() -> None:
    owner = principal_of(claims(NOW), NOW)
    call = Call("rtc_one", owner)
    assert call.belongs_to(replace(owner, token_ids=("other",)))
    assert not call.belongs_to(replace(owner, user=UserId("bob")))
    assert not call.belongs_to(replace(owner, tenant=TenantId("other")))


# --- client secrets ---


def test_a_client_secret_is_shaped_as_openais(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        wish = {
            "expires_after": {"anchor": "created_at", "seconds": 60},
            "session": {"type": "realtime", "model": "m", "instructions": "Be brief.", "output_modalities": ["text"]},
        }
        answer = await post(gateway, "/v1/realtime/client_secrets", wish, token())
        assert answer.status == 200
        assert set(answer.json) == {"value", "expires_at", "session"}
        assert answer.json["value"].startswith("ek_")
        assert 50 < answer.json["expires_at"] - SystemClock().wall() <= 60
        assert answer.json["session"]["type"] == "realtime"
        assert answer.json["session"]["instructions"] == "Be brief."
        assert answer.headers["cache-control"] == "no-store"
        async with gateway.socket("model=m", STOCK, f"openai-insecure-api-key.{answer.json['value']}") as socket:
            session = (await socket.get("session.created"))["session"]
            assert session["instructions"] == "Be brief."
            assert session["output_modalities"] == ["text"]

    served(tmp_path, talk)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"expires_after": {"seconds": 9}}, "invalid_value"),
        ({"expires_after": {"seconds": 7201}}, "invalid_value"),
        ({"expires_after": {"anchor": "later", "seconds": 60}}, "invalid_value"),
        ({"session": {"instructions": 7}}, "invalid_value"),
        ({"session": {"audio": {"output": {"format": {"type": "audio/mp3"}}}}}, "unsupported_format"),
        ({"bargein": {"session_id": "sess_00nobody"}}, "session_not_found"),
        ({"bargein": {"user": ""}}, "invalid_value"),
        ([], "invalid_value"),
        ({"session": {"instructions": "x" * 70_000}}, "event_too_large"),
    ],
)
def test_a_wrong_wish_is_refused(tmp_path: Path, wish: object, code: str) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await post(gateway, "/v1/realtime/client_secrets", wish, token())
        assert answer.code == code
        assert answer.status in (400, 404, 413)

    served(tmp_path, talk)


def test_a_client_secret_opens_sessions_until_it_expires_and_its_session_may_be_changed(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        wish = {"type": "realtime", "model": "mine", "instructions": "Be brief.", "output_modalities": ["text"]}
        answer = await post(gateway, "/v1/realtime/client_secrets", {"session": wish}, token())
        shown, secret = answer.json["session"], answer.json["value"]
        assert 550 < answer.json["expires_at"] - SystemClock().wall() <= 600
        assert (shown["object"], shown["type"], shown["id"][:5]) == ("realtime.session", "realtime", "sess_")
        assert {name: shown[name] for name in wish} == wish
        sessions = []
        for query, model in (("", "mine"), ("model=other", "other"), ("device=phone", "mine")):
            async with gateway.socket(query, STOCK, f"openai-insecure-api-key.{secret}") as socket:
                created = (await socket.get("session.created"))["session"]
                assert {name: created[name] for name in wish} == {**wish, "model": model}
                sessions.append(created["id"])
                await socket.send("session.update", session={"type": "realtime", "instructions": "Be long."})
                assert (await socket.get("session.updated"))["session"]["instructions"] == "Be long."
        assert len({*sessions, shown["id"]}) == 4

    served(tmp_path, talk)


def test_a_secret_that_is_minted_for_one_connection_is_used_up_by_it(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), bargein={"once": True})
        async with gateway.socket(**by(secret)) as socket:
            await opened(socket)
        assert await refused(gateway, **by(secret)) == (401, "invalid_api_key")

    served(tmp_path, talk)


def test_a_connection_outlives_the_secret_that_opened_it(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), expires_after={"anchor": "created_at", "seconds": 10})
        async with gateway.socket(**by(secret)) as socket:
            await opened(socket)
            gateway.app.state.authority.watch.look(NOW + 60)
            await socket.ask("hello")
            await socket.get("response.done")
            assert socket.all("auth.refresh_required") == []

    served(tmp_path, talk, ScriptedAgent("One."))


def test_a_client_secret_in_an_address_connects_once_and_its_client_comes_back_by_rotated_tokens(
    tmp_path: Path,
) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), bargein={"rights": ["read", "send"]})
        async with gateway.socket(f"token={secret}") as socket:
            created = (await socket.get("session.created"))["session"]
            assert created["bargein"]["rights"] == ["read", "send"]
            resume = [created["bargein"]["resume_token"]]
            await socket.say("hello")
            await socket.get("conversation.item.done")
        assert await refused(gateway, f"token={secret}") == (401, "invalid_api_key")
        for _ in range(3):
            async with gateway.socket(f"session={created['id']}", **by(resume[-1])) as socket:
                again = (await socket.get("session.created"))["session"]
                assert again["bargein"]["rights"] == ["read", "send"]
                resume.append(again["bargein"]["resume_token"])
                assert len((await socket.get("session.snapshot"))["items"]) == 1
        assert len(set(resume)) == 4
        for old in resume[:-2]:
            assert await refused(gateway, **by(old)) == (401, "invalid_api_key")
        async with gateway.socket(**by(resume[-1])) as socket:  # the token names the session
            assert await opened(socket) == created["id"]
        assert await refused(gateway, f"token={resume[-1]}") == (401, "token_in_query")

    served(tmp_path, talk)


def test_of_two_that_present_one_secret_at_once_one_comes_in(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token(), bargein={"session_id": await session_of(gateway)})

        async def attempt() -> bool:
            try:
                async with gateway.socket(f"token={secret}") as socket:
                    await socket.inbox.until(lambda: socket.got)
                    return bool(socket.got[0]["type"] == "session.created")
            except InvalidStatus:
                return False

        assert sum(await asyncio.gather(*(attempt() for _ in range(10)))) == 1

    served(tmp_path, talk)


async def session_of(gateway: Gateway) -> str:
    async with gateway.socket(**by(token())) as socket:
        return await opened(socket)


def test_a_secret_for_one_session_is_good_for_no_other(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        one, other = await session_of(gateway), await session_of(gateway)
        secret = await secret_of(gateway, token(), bargein={"session_id": one})
        async with gateway.socket(f"session={other}&token={secret}") as socket:
            assert await socket.close_code() == 4004
        answer = await gateway.http("GET", f"/v1/sessions/{other}/items", headers=bearer(secret))
        assert (answer.status, answer.code) == (404, "session_not_found")
        async with gateway.socket(f"token={secret}") as socket:
            assert await opened(socket) == one

    served(tmp_path, talk)


def test_a_secret_makes_no_secrets(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token())
        assert (await post(gateway, "/v1/realtime/client_secrets", {}, secret)).status == 401

    served(tmp_path, talk)


def test_secrets_are_minted_where_nothing_is_asked_for_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, "sk-anything", bargein={"rights": ["read"]})
        async with gateway.socket(f"token={secret}") as socket:
            assert await socket.close_code() == 4003  # it may open nothing
        assert await refused(gateway, "token=ek_unknown") == (401, "invalid_api_key")

    served(tmp_path, talk, auth_secret="")


# --- expiry and revocation ---


def test_an_open_connection_of_a_revoked_token_is_closed(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada, gateway.socket(**by(token("bob"))) as bob:
            await opened(ada)
            await opened(bob)
            answer = await post(gateway, "/v1/auth/revocations", {"token_id": "bob-token"}, token("root"))
            assert (answer.status, answer.json["rights"]) == (201, [])
            assert await bob.close_code() == 4401
            assert await refused(gateway, **by(token("bob"))) == (401, "invalid_api_key")
            await ada.ask("hello")
            await ada.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))


def test_a_narrowed_token_loses_rights_in_mid_answer(tmp_path: Path) -> None:
    agent = ScriptedAgent([Say("One "), Hold(), Say("two.")])

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token())) as ada:
            session = await opened(ada)
            async with gateway.socket(f"session={session}", **by(token("bob"))) as bob:
                await bob.ask("go")
                await bob.get("response.output_text.delta")
                root = token("root")
                await post(gateway, "/v1/auth/revocations", {"user": "bob", "rights": ["read"]}, root)
                changed = await bob.get("auth.changed")
                assert (changed["rights"], "cancel" in changed["missing"]) == (["read"], True)
                await bob.send("response.cancel", event_id="e")
                assert (await bob.get("command.rejected"))["code"] == "missing_right_cancel"
                await post(gateway, "/v1/auth/revocations", {"user": "bob", "rights": ["send"]}, root)
                seen = len(bob.got)
                agent.release()
                await ada.get("response.done")
                assert await bob.close_code() == 4401
                assert len(bob.got) == seen

    served(tmp_path, talk, agent)


class Slow:
    """A WebSocket that sends one message when it is let to."""

    def __init__(self) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.sent: list[str] = []
        self.closed: list[int] = []
        self.goes = asyncio.Event()

    async def send_text(self, text: str) -> None:
        self.sent.append(text)
        await self.goes.wait()

    async def close(self, code: int, reason: str) -> None:
        self.closed.append(code)


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (CloseCode.UNAUTHORISED, ["one"]),
        (CloseCode.FORBIDDEN, ["one"]),
        (CloseCode.OVERLOADED, ["one", "two", "three"]),
    ],
)
def test_what_waits_for_a_slow_reader_is_not_sent_after_a_revocation(code: CloseCode, sent: list[str]) -> None:
    async def main() -> None:
        slow = Slow()
        socket = _Socket(cast(WebSocket, slow))
        for text in ("one", "two", "three"):
            socket.send(text)
        writing = asyncio.create_task(socket.write())
        await settle()
        socket.close_soon(code)
        slow.goes.set()
        await writing
        assert (slow.sent, slow.closed) == (sent, [code])

    run(main())


def test_revoking_a_minters_token_revokes_what_was_made_of_it(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await secret_of(gateway, token("app"), bargein={"user": "ada"})
        unused = await secret_of(gateway, token("app"), bargein={"user": "ada"})
        async with gateway.socket(f"token={secret}") as socket:
            created = (await socket.get("session.created"))["session"]["bargein"]
            assert created["user"] == "ada"
            await post(gateway, "/v1/auth/revocations", {"token_id": "app-token"}, token("root"))
            assert await socket.close_code() == 4401
        assert await refused(gateway, f"token={unused}") == (401, "invalid_api_key")
        assert await refused(gateway, **by(created["resume_token"])) == (401, "invalid_api_key")

    served(tmp_path, talk)


def test_a_revocation_outlives_the_gateway(tmp_path: Path) -> None:
    async def revoke(gateway: Gateway) -> None:
        await post(gateway, "/v1/auth/revocations", {"token_id": "bob-token"}, token("root"))
        assert (tmp_path / "revocations.jsonl").stat().st_mode & 0o777 == 0o600

    async def come(gateway: Gateway) -> None:
        assert await refused(gateway, **by(token("bob"))) == (401, "invalid_api_key")
        async with gateway.socket(**by(token())) as socket:
            await opened(socket)

    served(tmp_path, revoke)
    served(tmp_path, come)


@pytest.mark.parametrize(
    ("rights", "wish", "status", "code"),
    [
        ({"*": ["read"]}, {"user": "bob"}, 403, "missing_right_administer"),
        ({"ada:*": ["*"]}, {"user": "bob"}, 403, "missing_right_administer"),
        (EVERYTHING, {}, 400, "invalid_value"),
        (EVERYTHING, {"user": "bob", "token_id": "t"}, 400, "invalid_value"),
        (EVERYTHING, {"user": 7}, 400, "invalid_value"),
    ],
)
def test_a_revocation_that_cannot_be_is_refused(
    tmp_path: Path, rights: dict[str, list[str]], wish: object, status: int, code: str
) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await post(gateway, "/v1/auth/revocations", wish, token(rights=rights))
        assert (answer.status, answer.code) == (status, code)

    served(tmp_path, talk)


def test_an_administrator_that_was_narrowed_administers_no_more(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        root, bob = token("root"), {"user": "bob"}
        await post(gateway, "/v1/auth/revocations", {"user": "root", "rights": ["read", "send"]}, root)
        answer = await post(gateway, "/v1/auth/revocations", bob, root)
        assert (answer.status, answer.code) == (403, "missing_right_administer")
        answer = await post(gateway, "/v1/realtime/client_secrets", {"bargein": bob}, root)
        assert (answer.status, answer.code) == (403, "missing_right_administer")

    served(tmp_path, talk)


def test_who_administers_the_default_tenant_sees_how_the_gateway_is(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        given = token("root", tenant="default")
        assert (await gateway.http("GET", "/v1/load", headers=bearer(given))).status == 200
        secret = await secret_of(gateway, given)
        answer = await gateway.http("GET", "/v1/load", headers=bearer(secret))
        assert (answer.status, answer.code) == (403, "missing_right_administer")
        assert (await gateway.http("GET", "/readyz", headers=bearer(token("eve")))).status == 200

    served(tmp_path, talk)


@pytest.mark.parametrize("torn", [b"", b'{"v":1,"ten'])
def test_a_journal_that_was_cut_off_goes_on_after_its_last_whole_line(tmp_path: Path, torn: bytes) -> None:
    async def revoke(gateway: Gateway) -> None:
        await post(gateway, "/v1/auth/revocations", {"token_id": "bob-token"}, token("root"))
        await post(gateway, "/v1/auth/revocations", {"token_id": "eve-token"}, token("root"))

    async def come(gateway: Gateway) -> None:
        for user in ("bob", "eve"):
            assert await refused(gateway, **by(token(user))) == (401, "invalid_api_key")

    served(tmp_path, revoke)
    journal = tmp_path / "revocations.jsonl"
    journal.write_bytes(journal.read_bytes() + torn)
    served(tmp_path, revoke)
    assert len(journal.read_bytes().splitlines()) == 4
    served(tmp_path, come)


def test_a_gateway_that_cannot_read_what_was_revoked_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "revocations.jsonl").write_bytes(b"nonsense\n")
    app = create_app(Settings(agent="offline", synthesizer="none", recognizer="none", data=str(tmp_path)))

    async def main() -> None:
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")

    with pytest.raises(StoreError, match="revocations"):
        asyncio.run(main())


def test_nobody_revokes_for_another_tenant(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**by(token("bob"))) as bob:
            await opened(bob)
            await post(gateway, "/v1/auth/revocations", {"user": "bob"}, token("root", tenant="other"))
            await bob.ask("hello")
            await bob.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))


def test_a_token_that_expires_ends_its_connection_unless_another_one_comes(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        watch = gateway.app.state.authority.watch
        async with gateway.socket(**by(token())) as ada, gateway.socket("model=m", STOCK, **by(token("bob"))) as bob:
            await opened(ada)
            await opened(bob)
            watch.look(NOW + 3600 - 59)
            required = await ada.get("auth.refresh_required")
            assert required["expires_at"] == int(NOW) + 3600
            for wrong in (token("eve"), token(tenant="other"), "nonsense"):
                await ada.send("auth.refresh", token=wrong, event_id="w")
            assert (await ada.get("command.rejected", 3))["code"] == "invalid_api_key"
            longer = token(rights={"*": ["read", "send"]}, exp=int(NOW) + 7200)
            await ada.send("auth.refresh", token=longer)
            assert (await ada.get("auth.changed"))["rights"] == ["read", "send"]
            watch.look(NOW + 3601)
            assert await bob.close_code() == 4401
            assert set(bob.types()) == {"session.created"}
            await ada.ask("hello")
            await ada.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))


def test_an_extended_client_is_the_only_one_that_may_refresh(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK, **by(token())) as socket:
            await socket.send("auth.refresh", token=token())
            assert (await socket.get("error"))["error"]["code"] == "unknown_event_type"
        async with gateway.socket("model=m", EXTENDED, **by(token())) as socket:
            await socket.send("auth.refresh", token=token())
            await socket.get("auth.changed")

    served(tmp_path, talk)
