"""What is sent to a chat model: the strictest form that every template takes."""

from hypothesis import given, strategies as st

from gateway.agents.context import (
    ADDED,
    BEGIN,
    BROKEN_OFF,
    BROKEN_OFF_UNHEARD,
    CUT,
    CUT_UNHEARD,
    GO_ON,
    UNANSWERED,
    chat_messages,
)
from gateway.runtime.ports import Conversation, Message, Steered, SteerMode


def sent(*messages: Message, instructions: str = "") -> list[tuple[str, str]]:
    conversation = Conversation("session", "response", instructions, messages)
    return [(message.role, message.content) for message in chat_messages(conversation)]


def test_instructions_and_system_messages_are_one_leading_system_message() -> None:
    messages = (Message("user", "hi"), Message("system", "The shop is closed."), Message("user", "open?"))
    assert sent(*messages, instructions="Be brief.") == [
        ("system", "Be brief.\n\nThe shop is closed."),
        ("user", "hi\nopen?"),
    ]


def test_without_instructions_there_is_no_system_message() -> None:
    assert sent(Message("user", "hi"), instructions="  ") == [("user", "hi")]


def test_an_interrupted_answer_is_what_was_heard_and_the_user_carries_the_note() -> None:
    told = Message("assistant", "Once upon a ", interrupted=True, unheard="time there was")
    assert sent(Message("user", "a story"), told, Message("user", "stop")) == [
        ("user", "a story"),
        ("assistant", "Once upon a"),
        ("user", f"{CUT}\nstop"),
    ]


def test_an_answer_whose_sound_broke_off_is_what_was_heard_and_the_rest_is_a_note() -> None:
    told = Message("assistant", "Once upon", interrupted=True, unheard=" a time.", broken_off=True)
    assert sent(Message("user", "a story"), told, Message("user", "go on"))[1:] == [
        ("assistant", "Once upon"),
        ("user", f"{BROKEN_OFF}: a time.]\ngo on"),
    ]


def test_an_answer_that_had_no_sound_at_all_is_told_as_what_was_shown() -> None:
    told = Message("assistant", "", interrupted=True, unheard="Once upon a time.", broken_off=True)
    assert sent(Message("user", "a story"), told) == [
        ("user", f"a story\n{BROKEN_OFF_UNHEARD}: Once upon a time.]\n{GO_ON}")
    ]


def test_words_that_were_not_heard_are_never_sent() -> None:
    told = Message("assistant", "Once", interrupted=True, unheard="secret")
    assert "secret" not in repr(sent(Message("user", "a story"), told, Message("user", "stop")))


def test_an_answer_of_which_nothing_was_heard_leaves_only_a_note() -> None:
    told = Message("assistant", "", interrupted=True, unheard="Once upon a time")
    assert sent(Message("user", "a story"), told, Message("user", "no, a poem")) == [
        ("user", f"a story\n{CUT_UNHEARD}\nno, a poem")
    ]


def test_the_parts_of_a_steered_answer_stay_apart() -> None:
    steered = (Message("assistant", "One.", interrupted=True), Message("assistant", "Two."), Message("user", "more"))
    assert sent(Message("user", "go"), *steered)[1:] == [
        ("assistant", "One."),
        ("user", CUT),
        ("assistant", "Two."),
        ("user", "more"),
    ]


def test_a_conversation_without_a_word_asks_the_model_to_begin() -> None:
    assert sent(instructions="Greet.") == [("system", "Greet."), ("user", BEGIN)]


def test_an_answer_cut_with_nothing_said_after_it_is_to_go_on() -> None:
    assert sent(Message("user", "go"), Message("assistant", "One", interrupted=True))[-1] == ("user", f"{CUT}\n{GO_ON}")


def test_an_answer_at_the_end_is_followed_by_a_word_from_the_user() -> None:
    assert sent(Message("assistant", "Hello.")) == [("user", BEGIN), ("assistant", "Hello."), ("user", GO_ON)]


messages = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "system"]),
    text=st.sampled_from(["", " ", "a", "b c"]),
    interrupted=st.booleans(),
)


@given(st.lists(messages, max_size=8), st.sampled_from(["", "Be brief."]))
def test_user_and_assistant_always_take_turns(history: list[Message], instructions: str) -> None:
    chat = sent(*history, instructions=instructions)
    turns = [role for role, _ in chat if role != "system"]
    assert turns == ["user", "assistant"] * (len(turns) // 2) + ["user"]
    assert [role for role, _ in chat[1:]].count("system") == 0
    assert all(content.strip() for _, content in chat)


# --- an answer that is gone on with ---

STORY = (Message("user", "a story"), Message("assistant", "Once upon a ", interrupted=True), Message("user", "a fox"))


def gone_on_with(mode: SteerMode, *messages: Message, since: int = 1, instructions: str = "") -> list[tuple[str, str]]:
    partial = " ".join(message.text.strip() for message in messages[since:] if message.role == "assistant")
    steered = Steered(mode, since, partial)
    conversation = Conversation("session", "response", instructions, messages, steered=steered)
    return [(message.role, message.content) for message in chat_messages(conversation)]


def test_a_model_that_continues_its_own_words_has_them_last() -> None:
    assert gone_on_with("prefill", *STORY, instructions="Be brief.") == [
        ("system", "Be brief."),
        ("user", f"a story\n{ADDED} a fox"),
        ("assistant", "Once upon a"),
    ]


def test_any_other_model_is_told_to_go_on() -> None:
    system, *turns = gone_on_with("instruction", *STORY, instructions="Be brief.")
    assert turns == [("user", "a story"), ("assistant", "Once upon a"), ("user", "a fox")]
    assert system[1].startswith("Be brief.\n\n")
    assert "“Once upon a”" in system[1]


def test_an_answer_that_is_steered_again_is_gone_on_with_from_all_its_parts() -> None:
    messages = (*STORY, Message("assistant", " time a fox", interrupted=True), Message("user", "and a hen"))
    assert gone_on_with("prefill", *messages) == [
        ("user", f"a story\n{ADDED} a fox\n{ADDED} and a hen"),
        ("assistant", "Once upon a time a fox"),
    ]


def test_a_steered_greeting_begins_with_the_user_all_the_same() -> None:
    greeting = (Message("assistant", "Hello, I", interrupted=True), Message("user", "In French."))
    roles = [role for role, _ in gone_on_with("instruction", *greeting, since=0)]
    assert roles == ["system", "user", "assistant", "user"]


def tools(*messages: Message) -> list[tuple[str, str, list[str], str]]:
    conversation = Conversation("session", "response", "", messages)
    return [
        (it.role, it.content, [call.call_id for call in it.calls], it.call_id) for it in chat_messages(conversation)
    ]


def called(call_id: str) -> Message:
    return Message("tool", "{}", kind="function_call", call_id=call_id, name="clock")


def came(call_id: str, text: str) -> Message:
    return Message("tool", text, kind="function_call_output", call_id=call_id)


def test_calls_in_a_row_are_one_message_and_their_results_follow_in_their_order() -> None:
    assert tools(Message("user", "time?"), called("a"), called("b"), came("b", "B"), came("a", "A")) == [
        ("user", "time?", [], ""),
        ("assistant", "", ["a", "b"], ""),
        ("tool", "A", [], "a"),
        ("tool", "B", [], "b"),
    ]


def test_a_result_that_came_late_stands_with_its_call_and_one_that_did_not_come_is_told() -> None:
    said = (Message("user", "time?"), called("a"), called("b"), Message("user", "quick"), came("a", "A"))
    assert tools(*said) == [
        ("user", "time?", [], ""),
        ("assistant", "", ["a", "b"], ""),
        ("tool", "A", [], "a"),
        ("tool", UNANSWERED, [], "b"),
        ("user", "quick", [], ""),
    ]


def test_a_result_without_a_call_is_not_sent() -> None:
    assert tools(Message("user", "time?"), came("z", "Z")) == [("user", "time?", [], "")]


def test_an_answer_after_a_result_is_a_message_of_its_own() -> None:
    said = (Message("user", "time?"), called("a"), came("a", "A"), Message("assistant", "Nine."), Message("user", "ok"))
    assert [role for role, *_ in tools(*said)] == ["user", "assistant", "tool", "assistant", "user"]
