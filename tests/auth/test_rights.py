"""Patterns and grants: which rights somebody has in which session."""

import pytest
from hypothesis import given, strategies as st

from gateway.auth.rights import ALL, MAX_GRANTS, NONE, Grant, Right, granted, grants_of, names, rights_of
from gateway.core.ids import SessionId, UserId

ADA, BOB = UserId("ada"), UserId("bob")
SESSION = SessionId("sess_7fabc")
READ = frozenset({Right.READ})


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*", True),
        ("sess_7fabc", True),
        ("sess_7f*", True),
        ("*abc", True),
        ("sess_*a*c", True),
        ("ada:*", True),
        ("ada:sess_7fabc", True),
        ("a*:*", True),
        ("*:*", True),
        ("bob:*", False),
        ("ada:sess_other", False),
        ("sess_7fab", False),
        ("sess_7fabcd", False),
        ("sess_7fabc*c", False),
        ("", False),
        ("ada", False),
        ("ada:", False),
        ("[a-z]*", False),
        ("sess_?fabc", False),
    ],
)
def test_a_pattern_names_sessions_and_who_opened_them(pattern: str, covers: bool) -> None:
    assert Grant(pattern, ALL).covers(SESSION, ADA) is covers


def test_the_last_colon_separates_the_user_from_the_session() -> None:
    assert Grant("urn:ada:*", ALL).covers(SESSION, UserId("urn:ada"))
    assert not Grant("urn:ada:*", ALL).covers(SESSION, UserId("urn"))


@given(st.lists(st.text("ab*", max_size=4), max_size=4).map("*".join), st.text("ab", max_size=8))
def test_a_star_stands_for_any_run_of_characters(pattern: str, text: str) -> None:
    def slowly(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(slowly(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return text[:1] == pattern[0] and slowly(pattern[1:], text[1:])

    assert Grant(pattern, ALL).covers(SessionId(text), ADA) is slowly(pattern, text)


def test_grants_add_up() -> None:
    grants = grants_of({"*": ["read"], "ada:*": ["send", "cancel"], "sess_other": ["administer"]})
    assert names(granted(grants, SESSION, ADA)) == ["read", "send", "cancel"]
    assert granted(grants, SESSION, BOB) == READ
    assert granted((), SESSION, ADA) == NONE


def test_unknown_rights_give_nothing_and_a_star_gives_all() -> None:
    assert rights_of(["read", "fly", 7, None]) == READ
    assert rights_of(["*"]) == ALL


@pytest.mark.parametrize(
    "claim", [None, [], "read", {"*": "read"}, {"*": None}, {7: ["read"]}, {"": ["read"]}, {"x" * 257: ["read"]}]
)
def test_a_claim_of_another_shape_is_refused(claim: object) -> None:
    with pytest.raises(ValueError, match="mapping"):
        grants_of(claim)


def test_a_claim_may_not_hold_any_number_of_grants() -> None:
    assert len(grants_of({f"sess_{number}": ["read"] for number in range(MAX_GRANTS)})) == MAX_GRANTS
    with pytest.raises(ValueError, match="mapping"):
        grants_of({f"sess_{number}": ["read"] for number in range(MAX_GRANTS + 1)})
