"""Claims become a principal, or a refusal."""

import math
from dataclasses import replace
from typing import Any

import pytest

from gateway.auth.principal import LEEWAY_S, OPERATOR, Principal, principal_of
from gateway.auth.rights import ALL, NONE, Right
from gateway.core.ids import SessionId, UserId
from gateway.errors import AuthError

NOW = 1_000_000.0
GOOD: dict[str, Any] = {"sub": "ada", "tenant": "acme", "jti": "t1", "iat": NOW, "exp": NOW + 60}
SESSION = SessionId("sess_00a")


def made(**changes: Any) -> Principal:
    return principal_of({**GOOD, "bargein": {"*": ["read", "send"]}, **changes}, NOW)


def refused(**changes: Any) -> tuple[str, str]:
    with pytest.raises(AuthError) as caught:
        made(**changes)
    return caught.value.code, caught.value.reason


def test_a_token_says_who_and_what() -> None:
    it = made()
    assert (it.tenant, it.user, it.token_ids, it.issued, it.expires) == ("acme", "ada", ("t1",), NOW, NOW + 60)
    assert it.rights_in(SESSION, UserId("bob")) == {Right.READ, Right.SEND}


def test_without_rights_there_are_none() -> None:
    assert principal_of(GOOD, NOW).rights_in(SESSION, UserId("ada")) == NONE


@pytest.mark.parametrize("late", [LEEWAY_S, LEEWAY_S + 1, 1e9])
def test_an_expired_token_is_refused(late: float) -> None:
    assert refused(exp=NOW - late) == ("token_expired", "expired")
    assert made(exp=NOW - LEEWAY_S + 1).user == "ada"


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused(name: str) -> None:
    assert refused(**{name: NOW + LEEWAY_S + 1}) == ("invalid_api_key", "not_yet_valid")
    assert made(**{name: NOW + LEEWAY_S}).user == "ada"


@pytest.mark.parametrize("wrong", [None, "soon", True, math.nan, math.inf, -math.inf, [], {}])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_times_are_finite_numbers(name: str, wrong: object) -> None:
    assert refused(**{name: wrong}) == ("invalid_api_key", f"wrong_{name}")


@pytest.mark.parametrize("wrong", [None, "", 7, ["ada"], "x" * 257, "a\x00b", "a\nb", "\ud800"])
@pytest.mark.parametrize("name", ["sub", "tenant"])
def test_names_are_short_printable_texts(name: str, wrong: object) -> None:
    assert refused(**{name: wrong}) == ("invalid_api_key", f"wrong_{name}")


def test_who_administers_the_default_tenant_runs_the_gateway() -> None:
    assert OPERATOR.operates
    assert made(tenant="default", bargein={"*": ["*"]}).operates
    assert not made(tenant="default").operates
    assert not made(bargein={"*": ["*"]}).operates
    assert not replace(OPERATOR, bound=SESSION).operates


def test_wrong_rights_are_refused() -> None:
    assert refused(bargein=["read"]) == ("invalid_api_key", "wrong_rights")


def test_one_that_is_bound_has_rights_in_that_session_alone() -> None:
    bound = Principal(OPERATOR.tenant, OPERATOR.user, OPERATOR.grants, bound=SESSION)
    assert bound.rights_in(SESSION, UserId("x")) == ALL
    assert bound.rights_in(SessionId("sess_00b"), UserId("x")) == NONE
    assert bound.rights_to_open() == NONE


def test_a_pattern_for_one_session_opens_none() -> None:
    assert made(bargein={"sess_00a": ["*"]}).rights_to_open() == NONE
    assert made(bargein={"ada:*": ["send"]}).rights_to_open() == {Right.SEND}
    assert made(bargein={"bob:*": ["send"]}).rights_to_open() == NONE


def test_who_administers_some_sessions_does_not_administer_the_tenant() -> None:
    assert made(bargein={"*": ["administer"]}).may_administer()
    assert not made(bargein={"ada:*": ["administer"]}).may_administer()
    assert not made(bargein={"*": ["read"]}).may_administer()
    assert not made(bargein={"*": ["*"]}).limited(frozenset({Right.READ})).may_administer()
