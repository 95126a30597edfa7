"""The right that each client event needs, and what becomes of a connection whose rights change."""

from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest

from gateway.auth.access import Access
from gateway.auth.principal import OPERATOR, Principal
from gateway.auth.revocations import Revocation, Revocations
from gateway.auth.rights import ALL, NONE, Grant, Right, Rights, names
from gateway.core.ids import SessionId, TenantId, UserId
from gateway.protocol import auth, extension as ext, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.transports.client_secrets import narrowed
from gateway.transports.config import NOTED
from gateway.transports.permits import NEEDS, SHARED, MissingRight, Permit, needed
from tests.protocol.examples import examples

SESSION = SessionId("sess_00a")
ADA = Principal(TenantId("acme"), UserId("ada"), (Grant("*", ALL),), ("t1",), issued=1.0, expires=1e9)


def event(kind: str, **fields: Any) -> rt.ClientEvent:
    made: rt.ClientEvent = msgspec.convert({"type": kind, **fields}, ext.AnyClientEvent)
    return made


def test_every_client_event_has_its_right() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(ext.AnyClientEvent)}
    assert set(NEEDS) == kinds


def test_an_event_that_nobody_thought_of_needs_all_rights() -> None:
    class New(rt.ClientEvent, tag="new.event"):
        pass

    assert needed(New()) == ALL


LIMITED = {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 900}}


@pytest.mark.parametrize(
    ("session", "rights"),
    [
        ({}, NONE),
        ({"output_modalities": ["text"]}, NONE),
        ({"audio": {"input": {"turn_detection": None}, "output": {"speed": 1.0}}}, NONE),
        ({"instructions": None}, {Right.CHANGE_SETTINGS}),
        ({"audio": {"output": {"voice": "alloy"}}}, {Right.CHANGE_SETTINGS}),
        ({"bargein": {}}, {Right.CHANGE_SETTINGS}),
        ({"tools": []}, {Right.CHANGE_SETTINGS}),
        ({"tool_choice": "none"}, {Right.CHANGE_SETTINGS}),
        ({"max_output_tokens": 20}, {Right.CHANGE_SETTINGS}),
        ({"truncation": "auto"}, NONE),
        ({"truncation": LIMITED}, {Right.CHANGE_SETTINGS}),
    ],
)
def test_what_an_update_changes_for_all_needs_a_right(session: dict[str, Any], rights: Rights) -> None:
    assert needed(event("session.update", session=session)) == rights


def test_each_field_of_an_update_is_of_a_connection_or_of_all() -> None:
    of_a_connection = {"type", "output_modalities", "audio", *NOTED}
    assert set(rt.SessionChanges.__struct_fields__) == of_a_connection | set(SHARED)
    assert not of_a_connection & set(SHARED)


def test_to_interrupt_is_to_cancel() -> None:
    assert needed(event("response.create")) == {Right.SEND}
    assert needed(event("response.create", on_active="interrupt")) == {Right.SEND, Right.CANCEL}


def test_to_go_on_from_elsewhere_is_to_steer_and_to_cancel() -> None:
    both = {Right.STEER, Right.CANCEL}
    edited = {"item_id": "item_1", "content": [{"type": "input_text", "text": "x"}]}
    assert needed(event("conversation.branch.select", item_id="item_1")) == both
    assert needed(event("conversation.item.update", **edited)) == both
    assert needed(event("conversation.item.update", **edited, response=True)) == both | {Right.SEND}
    assert needed(event("conversation.item.update", **edited, mode="correct")) == {Right.STEER}
    assert needed(event("response.create", replaces="item_1")) == both | {Right.SEND}


@pytest.mark.parametrize("right", list(Right))
def test_a_missing_right_is_named_for_every_event_that_needs_it(right: Right) -> None:
    permit, _ = permitted(ALL - {right})
    for sent in examples("client"):
        given = msgspec.convert(sent, ext.AnyClientEvent)
        if right in needed(given):
            with pytest.raises(MissingRight) as caught:
                permit.check(given)
            assert caught.value.code == f"missing_right_{right.value}"
        else:
            permit.check(given)


def test_who_may_not_cancel_does_not_interrupt_by_voice() -> None:
    for rights, may in ((ALL, True), (ALL - {Right.CANCEL}, False)):
        permit, _ = permitted(rights)
        assert permit.interrupts(True) is may
        assert permit.interrupts(False) is False


def test_keys_of_two_users_are_two_keys() -> None:
    ada, _ = permitted(ALL)
    bob = Permit(Access(replace(ADA, user=UserId("bob")), SESSION), None, None, lambda _: None)
    assert ada.key("k") != bob.key("k")
    assert ada.key("") == bob.key("") == ""


# --- changes ---


def permitted(rights: Rights, revocations: Revocations | None = None) -> tuple[Permit, list[object]]:
    told: list[object] = []
    principal = replace(ADA, grants=(Grant("*", rights),))
    return Permit(Access(principal, SESSION, UserId(""), revocations), None, told.append, told.append), told


def test_a_client_learns_at_once_what_it_may_not() -> None:
    permit, _ = permitted(frozenset({Right.READ}))
    assert permit.told()["rights"] == ["read"]
    assert permit.told()["missing"] == names(ALL - {Right.READ})


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (NONE, CloseCode.UNAUTHORISED),
        ({Right.SEND}, CloseCode.FORBIDDEN),
        ({Right.READ}, auth.AuthChanged(rights=["read"], missing=names(ALL - {Right.READ}))),
    ],
)
def test_less_rights_are_told_and_none_end_the_connection(left: Rights, told: object) -> None:
    revocations = Revocations()
    permit, heard = permitted(ALL, revocations)
    revocations.add(Revocation(ADA.tenant, 2.0, "t1", rights=frozenset(left)))
    permit.rights_changed()
    assert heard == [told]


def test_what_was_revoked_before_a_connection_began_ends_it() -> None:
    revocations = Revocations()
    permit, heard = permitted(ALL, revocations)
    revocations.add(Revocation(ADA.tenant, 2.0, "t1"))
    permit.begin()
    assert heard == [CloseCode.UNAUTHORISED]


def test_one_that_never_read_goes_on_without() -> None:
    revocations = Revocations()
    permit, heard = permitted(frozenset({Right.SEND, Right.CANCEL}), revocations)
    revocations.add(Revocation(ADA.tenant, 2.0, "t1", rights=frozenset({Right.SEND})))
    permit.rights_changed()
    assert isinstance(heard[0], auth.AuthChanged)


# --- client secrets ---


def test_a_secret_is_never_wider_than_its_minter() -> None:
    minter = replace(ADA, grants=(Grant("*", frozenset({Right.READ, Right.SEND})),))
    for wish in (auth.Narrowing(), auth.Narrowing(rights=["*"]), auth.Narrowing(rights=["read", "send", "administer"])):
        assert narrowed(minter, wish).rights_in(SESSION, UserId("x")) <= {Right.READ, Right.SEND}
    assert narrowed(minter, auth.Narrowing(rights=["read"])).rights_in(SESSION, UserId("x")) == {Right.READ}


def test_a_secret_administers_only_when_that_is_asked_for() -> None:
    assert not {Right.ADMINISTER, Right.TAKE_OVER} & narrowed(ADA, auth.Narrowing()).rights_in(SESSION, UserId("x"))
    assert Right.TAKE_OVER in narrowed(ADA, auth.Narrowing(rights=["take_over"])).rights_in(SESSION, UserId("x"))


def test_a_secret_for_another_user_is_minted_by_an_administrator() -> None:
    assert narrowed(OPERATOR, auth.Narrowing(user="bob")).user == "bob"
    minter = replace(ADA, grants=(Grant("*", ALL - {Right.ADMINISTER}),))
    assert narrowed(minter, auth.Narrowing(user="ada")).user == "ada"
    with pytest.raises(MissingRight) as caught:
        narrowed(minter, auth.Narrowing(user="bob"))
    assert caught.value.right is Right.ADMINISTER
