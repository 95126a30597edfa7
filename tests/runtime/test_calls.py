"""Calls and results as models are given them."""

from gateway.runtime.calls import paired
from gateway.runtime.ports import Message

USER = Message("user", "time?")


def called(call_id: str, arguments: str = "{}") -> Message:
    return Message("tool", arguments, kind="function_call", call_id=call_id, name="clock")


def came(call_id: str, text: str) -> Message:
    return Message("tool", text, kind="function_call_output", call_id=call_id)


def told(*messages: Message) -> list[tuple[str, str]]:
    return [(it.call_id, it.text) for it in paired(messages)]


def test_what_is_paired_is_left_alone() -> None:
    said = (USER, called("a"), called("b"), came("b", "B"), USER, came("a", "A"), Message("assistant", "Nine."))
    assert paired(said) == list(said)


def test_a_result_without_its_call_is_not_given() -> None:
    assert told(USER, came("gone", "Nine.")) == [("", "time?")]
    assert told(came("late", "Nine."), called("late")) == [("late", "{}")]


def test_of_two_results_of_a_call_the_last_counts() -> None:
    assert told(called("a"), came("a", "one"), came("a", "two")) == [("a", "{}"), ("a", "two")]


def test_an_id_that_returns_does_not_change_what_came_before() -> None:
    said = (called("0", "1"), came("0", "one"), USER, called("0", "2"), came("0", "two"), called("0-2", "3"))
    assert told(*said) == [("0", "1"), ("0", "one"), ("", "time?"), ("0-3", "2"), ("0-3", "two"), ("0-2", "3")]


def test_calls_in_a_row_with_one_id_get_their_results_in_their_order() -> None:
    assert told(called("0", "1"), called("0", "2"), came("0", "one"), came("0", "two")) == [
        ("0", "1"),
        ("0-2", "2"),
        ("0", "one"),
        ("0-2", "two"),
    ]


def test_a_call_that_was_given_up_does_not_take_the_result_of_the_next() -> None:
    assert told(called("0", "1"), USER, called("0", "2"), came("0", "two"))[-1] == ("0-2", "two")
