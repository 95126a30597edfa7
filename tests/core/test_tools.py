"""Tools: a call begins when its answer has ended well, and what came of it stands in the conversation."""

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.values import Usage, Wish
from tests.core.script import (
    ASK,
    BROKEN,
    CANCEL,
    CHAT,
    CONFIRMED,
    G1,
    G2,
    SUSTAINED,
    TURN_ENDED,
    Talk,
    answering,
    cleared,
    kinds,
    only,
    typed,
)

CALLED = inp.ToolCalled(G1, "call_1", "clock", "{}")
RAN = inp.ToolRan(G1, "call_1", "clock", "{}", "Nine.")
FINISHED = inp.GenerationFinished(G1)
RESULT = inp.ItemSubmitted("tool", "Nine.", kind="function_call_output", call_id="call_1")


def calls(talk: Talk) -> list[ev.ItemAdded]:
    return [fact for fact in talk.all(ev.ItemAdded) if fact.kind == "function_call"]


def asked(at: float = 1.0) -> Talk:
    talk = Talk(voices=())
    talk.tell((at, typed("What time is it?"), CHAT), (at, ASK, CHAT))
    return talk


def test_a_call_joins_when_its_answer_has_ended() -> None:
    talk = asked()
    assert talk.tell((1.1, CALLED)).facts == ()
    outcome = talk.tell((1.2, FINISHED))
    assert kinds(outcome.facts) == [ev.ItemAdded, ev.ResponseEnded]
    call = only(outcome.facts, ev.ItemAdded)
    assert (call.role, call.kind, call.status, call.call_id, call.name, call.text) == (
        "tool",
        "function_call",
        "completed",
        "call_1",
        "clock",
        "{}",
    )
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (call.response_id, ended.status, ended.item_id) == (ended.response_id, "completed", None)
    assert talk.path[-1] == call.item_id


def test_a_call_follows_the_words_that_came_with_it() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (1.1, CALLED))
    outcome = talk.tell((1.2, FINISHED))
    assert kinds(outcome.facts) == [ev.ItemCompleted, ev.ItemAdded, ev.ResponseEnded]
    assert only(outcome.facts, ev.ItemAdded).parent == only(outcome.facts, ev.ItemCompleted).item_id


def test_the_tool_of_a_cancelled_answer_never_starts() -> None:
    talk = asked()
    talk.tell((1.1, CALLED), (1.2, CANCEL), (1.3, FINISHED))
    assert calls(talk) == []


def test_the_tool_of_an_answer_that_was_cut_by_voice_never_starts() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (1.1, CALLED), (1.5, CONFIRMED), (2.2, SUSTAINED))
    talk.tell((2.21, cleared(G1, "One")), (2.3, FINISHED), (2.5, TURN_ENDED))
    assert calls(talk) == []


def test_the_tool_of_an_answer_that_failed_never_starts() -> None:
    talk = asked()
    talk.tell((1.1, CALLED), (1.2, inp.GenerationFailed(G1, BROKEN)))
    assert calls(talk) == []


def test_the_tool_of_the_part_before_a_steer_never_starts() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, ASK), (1.1, CALLED), (1.2, inp.SteerRequested("In French.", None)))
    talk.tell((1.3, inp.DeadlineReached()), (1.4, inp.TextGenerated(G2, "Oui.")), (1.5, inp.GenerationFinished(G2)))
    assert calls(talk) == []


def test_a_result_joins_whenever_it_comes_and_starts_nothing() -> None:
    talk = asked()
    talk.tell((1.1, CALLED), (1.2, FINISHED), (1.3, typed("Hurry."), CHAT))
    outcome = talk.tell((5.0, RESULT))
    result = only(outcome.facts, ev.ItemAdded)
    assert (result.role, result.kind, result.call_id, result.text) == (
        "tool",
        "function_call_output",
        "call_1",
        "Nine.",
    )
    assert outcome.starting == ()


def test_an_answer_that_speaks_goes_on_sounding_while_its_tool_runs() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (1.1, CALLED), (1.2, FINISHED), (1.3, RESULT))
    outcome = talk.tell((1.4, ASK))
    assert outcome.accepted
    assert only(outcome.starting, fx.Generate).generation == G2
    assert not any(isinstance(effect, fx.FlushPlayout) for effect in talk.stopping)


def test_what_an_agent_ran_by_itself_is_shown_at_once_and_belongs_to_no_answer() -> None:
    talk = asked()
    outcome = talk.tell((1.1, RAN))
    call, result = (fact for fact in outcome.facts if isinstance(fact, ev.ItemAdded))
    assert (call.kind, result.kind, result.text) == ("function_call", "function_call_output", "Nine.")
    assert (call.response_id, result.response_id, result.parent) == (None, None, call.item_id)


def test_what_is_thought_is_told_and_not_kept() -> None:
    talk = asked()
    first = talk.tell((1.1, inp.Reasoned(G1, "The clock")))
    second = talk.tell((1.2, inp.Reasoned(G1, " says")))
    assert [only(it.events, ev.ReasoningAppended).offset for it in (first, second)] == [0, 9]
    assert (first.facts, second.facts) == ((), ())


def test_an_answer_that_ended_early_says_why_and_what_it_cost() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    outcome = talk.tell((1.2, inp.GenerationFinished(G1, Usage(9, 5), "max_output_tokens")))
    completed, ended = only(outcome.facts, ev.ItemCompleted), only(outcome.facts, ev.ResponseEnded)
    assert (completed.status, completed.fell_short) == ("incomplete", True)
    assert (ended.status, ended.shortfall, ended.usage) == ("incomplete", "max_output_tokens", Usage(9, 5))
    assert only(outcome.starting, fx.FinishSpeech).generation == G1


# answers beside the conversation


def beside(**wanted: object) -> inp.ResponseRequested:
    return inp.ResponseRequested(aside=True, wish=Wish("Give it a title."), **wanted)  # type: ignore[arg-type]


def test_an_answer_beside_the_conversation_joins_nothing_and_disturbs_nothing() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    path = talk.path
    begun = talk.tell((2.0, beside()))
    assert kinds(begun.facts) == [ev.AsideStarted]
    assert only(begun.starting, fx.Generate).wish == Wish("Give it a title.")
    appended = only(talk.tell((2.1, inp.TextGenerated(G2, "Counting"))).events, ev.AsideAppended)
    outcome = talk.tell((2.2, inp.GenerationFinished(G2, Usage(5, 1))))
    ended = only(outcome.facts, ev.AsideEnded)
    assert (ended.status, ended.text, ended.usage, ended.item_id) == (
        "completed",
        "Counting",
        Usage(5, 1),
        appended.item_id,
    )
    assert talk.path == path
    assert talk.stopping == []
    assert talk.session.state.conversation.asides == {}


def test_it_runs_beside_an_answer_that_is_asked_for_later() -> None:
    talk = Talk()
    talk.tell((1.0, beside()), (1.1, typed("Hello.")))
    assert only(talk.tell((1.2, ASK)).starting, fx.Generate).generation == G2
    talk.tell((1.3, inp.TextGenerated(G2, "Hi.")), (1.4, inp.TextGenerated(G1, "Title")))
    talk.tell((1.5, inp.GenerationFinished(G2)), (1.6, inp.GenerationFinished(G1)))
    assert talk.last(ev.AsideEnded).text == "Title"


def test_a_cancel_stops_it_only_by_name() -> None:
    talk = Talk()
    response_id = only(talk.tell((1.0, beside())).facts, ev.AsideStarted).response_id
    assert not talk.tell((1.1, CANCEL)).accepted
    talk.tell((1.2, inp.TextGenerated(G1, "Tit")))
    outcome = talk.tell((1.3, inp.CancelRequested(response_id)))
    assert outcome.stopping == (fx.CancelGeneration(G1),)
    ended = only(outcome.facts, ev.AsideEnded)
    assert (ended.status, ended.reason, ended.text) == ("cancelled", "client_cancelled", "Tit")
    assert talk.tell((1.4, inp.TextGenerated(G1, "le"))).events == ()


def test_it_may_call_a_tool() -> None:
    talk = Talk()
    talk.tell((1.0, beside()), (1.1, CALLED))
    outcome = talk.tell((1.2, FINISHED))
    assert kinds(outcome.facts) == [ev.AsideCalled, ev.AsideEnded]
    assert only(outcome.facts, ev.AsideCalled).text == "{}"


def test_too_many_are_refused() -> None:
    talk = Talk()
    for at in range(8):
        assert talk.tell((float(at), beside())).accepted
    outcome = talk.tell((9.0, beside()))
    assert only(outcome.events, ev.CommandRejected).failure.code == "too_many_responses"


def test_one_that_the_end_of_the_process_left_open_has_failed() -> None:
    talk = Talk()
    talk.tell((1.0, beside()), (1.1, inp.TextGenerated(G1, "Tit")))
    after = talk.reboot()
    ended = only(after.tell((9.0, inp.SessionRecovered())).facts, ev.AsideEnded)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == ("failed", "node_lost")


def test_a_message_of_a_client_s_may_be_a_call_too() -> None:
    talk = Talk()
    call = inp.ItemSubmitted("tool", "{}", ItemId("mine"), None, "function_call", "call_7", "clock")
    added = only(talk.tell((1.0, call)).facts, ev.ItemAdded)
    assert (added.item_id, added.kind, added.call_id, added.name) == ("mine", "function_call", "call_7", "clock")


def test_the_words_of_one_beside_the_conversation_can_be_removed_once_it_is_over() -> None:
    talk = Talk()
    talk.tell((1.0, beside()), (1.1, CALLED), (1.2, inp.TextGenerated(G1, "Title")))
    call, ended = (it for it in talk.tell((1.3, FINISHED)).facts if isinstance(it, ev.AsideCalled | ev.AsideEnded))
    for number, fact in enumerate((call, ended)):
        redacted = only(talk.tell((2.0 + number, inp.ItemRedactionRequested(fact.item_id))).facts, ev.ItemRedacted)
        assert (redacted.item_id, redacted.response_id) == (fact.item_id, ended.response_id)
    assert talk.session.state.conversation.beside == {}
    assert not talk.tell((5.0, inp.ItemRedactionRequested(ended.item_id))).accepted
