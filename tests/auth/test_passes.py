"""Client secrets are good for many connections or for one, resume tokens for one each, and each brings the next."""

import itertools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, strategies as st

from gateway.auth.passes import GRACE_S, MAX_FOLLOWERS, RESUME_S, Passes
from gateway.auth.principal import OPERATOR, Principal
from gateway.core.ids import SessionId, UserId

SESSION = SessionId("sess_00a")
ADA = replace(OPERATOR, user=UserId("ada"), token_ids=("parent",))
NOW = 1000.0


@dataclass
class Desk:
    """Passes with names that count."""

    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.passes = Passes(lambda: f"n{next(self.numbers)}")

    def issue(self, principal: Principal = ADA, seconds: float = 60.0, *, once: bool = False) -> str:
        return self.passes.issue(principal, seconds, b"{}", NOW, once=once)[0]

    def spend(self, value: str, now: float = NOW, session: SessionId = SESSION, *, last: bool = False) -> str:
        successor = self.passes.spend(value, session, now, last=last)
        assert successor is not None
        return successor


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_secret_opens_many_sessions_until_it_expires(desk: Desk) -> None:
    secret = desk.issue(seconds=60)
    assert secret.startswith("ek_")
    resumes = [desk.spend(secret, NOW + number, SessionId(f"sess_00{number}")) for number in range(3)]
    assert all(it.startswith("rt_") for it in resumes)
    bound = [desk.passes.look(it, NOW + 3) for it in resumes]
    assert [it.principal.bound for it in bound if it is not None] == ["sess_000", "sess_001", "sess_002"]
    found = desk.passes.look(secret, NOW + 59)
    assert found is not None
    assert (found.principal.bound, found.config) == (None, b"{}")
    assert desk.passes.spend(secret, SESSION, NOW + 60) is None


@pytest.mark.parametrize(("once", "last"), [(True, False), (False, True)], ids=["minted so", "in an address"])
def test_a_secret_may_be_good_for_one_connection_alone(desk: Desk, once: bool, last: bool) -> None:
    secret = desk.issue(once=once)
    assert desk.spend(secret, last=last).startswith("rt_")
    assert desk.passes.look(secret, NOW) is None
    assert desk.passes.spend(secret, SESSION, NOW) is None


def test_no_secret_fills_the_memory(desk: Desk) -> None:
    secret = desk.issue()
    resumes = [desk.spend(secret) for _ in range(MAX_FOLLOWERS + 5)]
    assert resumes[MAX_FOLLOWERS:] == [""] * 5
    assert all(desk.passes.look(it, NOW) for it in resumes[:MAX_FOLLOWERS])
    assert len(desk.passes) == MAX_FOLLOWERS + 1


def test_what_follows_one_connection_leaves_the_others_alone(desk: Desk) -> None:
    secret = desk.issue()
    one, other = desk.spend(secret), desk.spend(secret)
    desk.spend(desk.spend(one), NOW + 1)
    assert desk.passes.look(one, NOW + 1) is None
    assert desk.passes.look(other, NOW + 1) is not None
    assert desk.passes.look(secret, NOW + 1) is not None


def test_a_secret_expires(desk: Desk) -> None:
    secret = desk.issue(seconds=10)
    assert desk.passes.look(secret, NOW + 9.9) is not None
    assert desk.passes.look(secret, NOW + 10) is None


def test_nothing_outlasts_its_minters_token(desk: Desk) -> None:
    _, expires = desk.passes.issue(replace(ADA, expires=NOW + 5), 60, b"", NOW)
    assert expires == NOW + 5


def test_a_resume_token_is_for_the_session_that_the_secret_came_into(desk: Desk) -> None:
    token = desk.spend(desk.issue())
    found = desk.passes.look(token, NOW)
    assert found is not None
    assert found.principal.bound == SESSION
    assert found.config == b""
    assert desk.passes.look(token, NOW + RESUME_S) is None


def test_a_secret_has_its_own_name_and_its_minters(desk: Desk) -> None:
    found = desk.passes.look(desk.issue(), NOW)
    assert found is not None
    assert found.principal.token_ids[1:] == ("parent",)
    assert found.principal.issued == NOW


def test_a_token_is_void_once_its_successor_was_used(desk: Desk) -> None:
    first = desk.spend(desk.issue())
    second = desk.spend(first)
    desk.spend(second, NOW + 1)
    assert desk.passes.look(first, NOW + 1) is None


def test_a_token_is_void_a_while_after_it_was_used(desk: Desk) -> None:
    first = desk.spend(desk.issue())
    desk.spend(first)
    assert desk.passes.look(first, NOW + GRACE_S - 0.1) is not None
    assert desk.passes.look(first, NOW + GRACE_S) is None


def test_a_token_that_is_presented_again_voids_what_it_brought(desk: Desk) -> None:
    first = desk.spend(desk.issue())
    lost = desk.spend(first)
    again = desk.spend(first, NOW + 1)
    assert desk.passes.look(lost, NOW + 1) is None
    assert desk.passes.look(again, NOW + 1) is not None


def test_what_is_unknown_is_good_for_nothing(desk: Desk) -> None:
    secret = desk.issue()
    for value in ("", "ek_", "rt_", secret + "x", secret[:-1], secret.upper(), "\ud800"):
        assert desk.passes.look(value, NOW) is None
        assert desk.passes.spend(value, SESSION, NOW) is None


def test_what_expired_is_forgotten(desk: Desk) -> None:
    for _ in range(10):
        desk.issue(seconds=10)
    desk.passes.issue(ADA, 10, b"", NOW + 20)
    assert len(desk.passes) == 1


def test_secrets_do_not_show() -> None:
    desk = Desk()
    secret = desk.issue()
    assert secret not in repr(desk.passes.__dict__)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 20)), max_size=30))
def test_of_one_secret_one_resume_token_at_most_is_fresh(uses: list[tuple[int, float]]) -> None:
    desk, now = Desk(), NOW
    given = [desk.issue(seconds=7200, once=True)]
    for number, later in uses:
        now += later
        successor = desk.passes.spend(given[number % len(given)], SESSION, now)
        if successor is not None:
            given.append(successor)
        good = [it for it in given if desk.passes.look(it, now) is not None]
        fresh = [it for it in good if (known := desk.passes.look(it, now)) is not None and known.spent is None]
        assert len(fresh) <= 1
        assert len(good) <= 2
