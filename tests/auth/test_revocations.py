"""What was revoked is missing at the next question, and after a restart."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from gateway.auth.access import NOTICE_S, Access, Watch
from gateway.auth.principal import OPERATOR, Principal
from gateway.auth.revocations import Revocation, Revocations, decode, encode
from gateway.auth.rights import ALL, NONE, Grant, Right
from gateway.core.ids import SessionId, TenantId, UserId

ACME, OTHER = TenantId("acme"), TenantId("other")
ADA, BOB = UserId("ada"), UserId("bob")
READ = frozenset({Right.READ})
SESSION = SessionId("sess_00a")
PRINCIPAL = Principal(ACME, ADA, (Grant("*", ALL),), ("child", "parent"), issued=100.0, expires=1000.0)


@pytest.mark.parametrize(
    ("revocation", "left"),
    [
        (Revocation(ACME, 200.0, "child"), NONE),
        (Revocation(ACME, 200.0, "parent"), NONE),
        (Revocation(ACME, 200.0, "parent", rights=READ), READ),
        (Revocation(ACME, 200.0, "other"), ALL),
        (Revocation(OTHER, 200.0, "child"), ALL),
        (Revocation(ACME, 200.0, user=ADA), NONE),
        (Revocation(ACME, 100.0, user=ADA), NONE),
        (Revocation(ACME, 99.0, user=ADA), ALL),
        (Revocation(ACME, 200.0, user=BOB), ALL),
        (Revocation(OTHER, 200.0, user=ADA), ALL),
    ],
)
def test_a_revocation_is_about_a_token_or_about_a_user_until_then(
    revocation: Revocation, left: frozenset[Right]
) -> None:
    revocations = Revocations()
    revocations.add(revocation)
    assert revocations.left(PRINCIPAL) == left


def test_revocations_only_take_away() -> None:
    revocations = Revocations()
    for rights in (frozenset({Right.READ, Right.SEND}), frozenset({Right.READ, Right.CANCEL}), ALL):
        revocations.add(Revocation(ACME, 200.0, "child", rights=rights))
    assert revocations.left(PRINCIPAL) == READ


def test_a_connection_loses_a_right_at_once() -> None:
    revocations = Revocations()
    access = Access(PRINCIPAL, SESSION, ADA, revocations)
    assert access.may(Right.CANCEL)
    revocations.add(Revocation(ACME, 200.0, "child", rights=READ))
    assert access.rights == READ


class Ears:
    """A connection that remembers what it was told."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.told: list[str] = []

    def rights_changed(self) -> None:
        self.told.append("changed")

    def expires_soon(self) -> None:
        self.told.append("soon")

    def expired(self) -> None:
        self.told.append("expired")


def test_those_whose_rights_change_hear_of_it_and_nobody_else() -> None:
    revocations = Revocations()
    watch = Watch(revocations)
    ada = Ears(Access(PRINCIPAL, SESSION, ADA, revocations))
    bob = Ears(Access(replace(PRINCIPAL, user=BOB, token_ids=("b",)), SESSION, ADA, revocations))
    for ears in (ada, bob):
        watch.add(ears)
    revocations.add(Revocation(ACME, 200.0, user=ADA))
    revocations.add(Revocation(ACME, 200.0, user=ADA, rights=READ))
    assert (ada.told, bob.told) == (["changed"], [])
    watch.remove(bob)
    revocations.add(Revocation(ACME, 200.0, user=BOB))
    assert bob.told == []


def test_a_token_that_expires_is_told_before_and_then() -> None:
    watch = Watch(Revocations())
    ears = Ears(Access(PRINCIPAL, SESSION, ADA))
    watch.add(ears)
    for wall in (0.0, 1000 - NOTICE_S - 1):
        watch.look(wall)
    assert ears.told == []
    watch.look(1000 - NOTICE_S)
    watch.look(999.0)
    assert ears.told == ["soon"]
    watch.look(1000.0)
    watch.look(1001.0)
    assert ears.told == ["soon", "expired"]
    assert len(watch) == 0


def test_another_token_puts_the_end_off() -> None:
    watch = Watch(Revocations())
    ears = Ears(Access(PRINCIPAL, SESSION, ADA))
    watch.add(ears)
    watch.look(990.0)
    ears.access.replace(replace(PRINCIPAL, expires=2000.0, grants=(Grant("*", READ),)))
    assert ears.access.rights == READ
    watch.look(1000.0)
    assert ears.told == ["soon"]
    watch.look(1950.0)
    assert ears.told == ["soon", "soon"]


def test_who_has_no_token_never_expires() -> None:
    watch = Watch(Revocations())
    ears = Ears(Access(OPERATOR, SESSION, ADA))
    watch.add(ears)
    watch.look(1e18)
    assert ears.told == []


# --- the journal ---

REVOCATIONS = st.builds(
    Revocation,
    st.text(max_size=8).map(TenantId),
    st.floats(0, 1e10),
    st.text(max_size=8),
    st.text(max_size=8).map(UserId),
    st.frozensets(st.sampled_from(Right)),
)


@given(st.lists(REVOCATIONS, max_size=5))
def test_the_journal_keeps_what_it_was_given(revocations: list[Revocation]) -> None:
    lines = [encode(it) for it in revocations]
    assert decode(b"".join(lines).splitlines(keepends=True)) == revocations


def test_a_line_that_was_not_finished_was_never_promised() -> None:
    line = encode(Revocation(ACME, 1.0, "t"))
    assert decode([line, line[:-1]]) == [Revocation(ACME, 1.0, "t")]


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"tenant":"a","at":"x"}\n'])
def test_a_journal_that_cannot_be_read_is_no_empty_one(line: bytes) -> None:
    with pytest.raises(ValueError, match="journal"):
        decode([line])
