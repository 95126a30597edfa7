"""The model that hears and speaks, against a real WebSocket server on the loopback."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from gateway.agents.openai_realtime import OpenAIRealtime
from gateway.agents.patience import Patience
from gateway.core.values import Tool, Usage
from gateway.errors import AgentError, SettingsError
from gateway.runtime.clock import SystemClock
from gateway.runtime.ports import Conversation, Ended, Message, Piece, Sound, Steered, ToolCall
from tests.agents.fake_realtime import WORD_MS, Answer, Call, FakeRealtime, Fault, Script, tone

SAID = b"\x10\x00" * 24_000
"""A second of somebody's voice."""

ASK = Message("user", "what time is it", spoken=True, item_id="item_1")
ASKED = Conversation("session", "resp_1", "Be brief.", (ASK,), sounds={"item_1": SAID})

Use = Callable[[FakeRealtime, OpenAIRealtime], Awaitable[None]]


class FakeClock(SystemClock):
    """The wall clock stands still, as the server's does."""

    def wall(self) -> float:
        return 1_800_000_000.0


def run(script: Script, use: Use, *, patience: Patience = Patience(), idle_s: float = 600.0, **server: Any) -> None:  # noqa: B008 - frozen
    async def main() -> None:
        async with FakeRealtime(script, **server) as upstream:
            agent = OpenAIRealtime(
                "voice", "sk-test", upstream.base_url, patience=patience, idle_s=idle_s, clock=FakeClock()
            )
            async with asyncio.timeout(20):
                await use(upstream, agent)
            await agent.aclose()

    asyncio.run(main())


async def answered(agent: OpenAIRealtime, conversation: Conversation = ASKED) -> list[Piece]:
    async with aclosing(agent.reply(conversation)) as pieces:
        return [piece async for piece in pieces]


async def failure(agent: OpenAIRealtime, conversation: Conversation = ASKED) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await answered(agent, conversation)
    return caught.value


def then(before: Conversation, *messages: Message, **changes: Any) -> Conversation:
    """The next question of the same session."""
    number = int(before.response_id.removeprefix("resp_")) + 1
    return replace(
        before, response_id=f"resp_{number}", messages=before.messages + messages, sounds={}, steered=None, **changes
    )


def said(text: str, item_id: str = "item_2", response_id: str = "resp_1") -> Message:
    return Message("assistant", text, item_id=item_id, response_id=response_id)


def cut(text: str, heard_ms: int, item_id: str = "item_2", response_id: str = "resp_1") -> Message:
    return replace(said(text, item_id, response_id), interrupted=True, heard_ms=heard_ms)


def typed(text: str, item_id: str) -> Message:
    return Message("user", text, item_id=item_id)


# --- asking and answering ---


def test_an_answer_is_its_words_its_sound_and_what_it_cost() -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert await answered(agent) == [
            "Half",
            Sound(tone(0)),
            " past",
            Sound(tone(1)),
            Usage(20, 10, cached_tokens=3, input_audio_tokens=12, output_audio_tokens=6),
        ]

    run(Answer("Half past"), use)


def test_a_spoken_turn_is_sent_as_sound_and_turns_stay_ours() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        [session] = server.sessions
        assert session.turns == [SAID]
        assert session.authorization == "Bearer sk-test"
        assert session.path == "/v1/realtime?model=voice"
        assert session.settings["instructions"] == "Be brief."
        assert session.settings["output_modalities"] == ["audio"]
        assert session.settings["audio"]["input"]["turn_detection"] is None

    run(Answer(), use)


def test_what_was_typed_or_has_no_sound_at_hand_is_sent_as_text() -> None:
    history = (typed("hello", "item_0"), said("Hi.", "item_x", "resp_0"), replace(ASK, item_id="item_9"))

    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent, replace(ASKED, messages=history, sounds={"item_9": b"\0" * 100}))
        expected = [("user", "hello"), ("assistant", "Hi."), ("user", "what time is it"), ("assistant", "Hello there.")]
        assert server.sessions[0].said() == expected

    run(Answer(), use)


def test_a_session_is_told_what_is_new_and_nothing_twice() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        again = then(ASKED, said("Hello there."), typed("and now", "item_3"))
        await answered(agent, again)
        await answered(agent, replace(then(again, said("Hello there.", "item_4", "resp_2")), instructions="Be long."))
        [session] = server.sessions
        assert session.types("input_audio_buffer.append") == [
            *("session.update", "input_audio_buffer.commit", "response.create"),
            *("conversation.item.create", "response.create"),
            *("session.update", "response.create"),
        ]
        assert session.refused == []

    run(Answer(), use)


def test_tools_go_both_ways() -> None:
    tool = Tool("clock", "Tells the time.", '{"type":"object"}')
    call = Message("tool", '{"zone":"CET"}', kind="function_call", call_id="call_1", name="clock", item_id="item_2")
    result = Message("tool", "10:30", kind="function_call_output", call_id="call_1", item_id="item_3")

    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        asked = replace(ASKED, tools=(tool,), tool_choice="required")
        pieces = await answered(agent, asked)
        assert pieces[0] == ToolCall("call_1", "clock", '{"zone":"CET"}')
        await answered(agent, then(asked, replace(call, response_id="resp_1"), result, forced_tool="clock"))
        [session] = server.sessions
        first, second = (event["session"] for event in session.got if event["type"] == "session.update")
        assert set(second) == {"type", "tool_choice"}
        assert first["tools"] == [
            {"type": "function", "name": "clock", "description": "Tells the time.", "parameters": {"type": "object"}}
        ]
        assert (first["tool_choice"], second["tool_choice"]) == ("required", {"type": "function", "name": "clock"})
        assert [item["type"] for item in session.items] == [
            *("message", "function_call", "function_call_output", "message")
        ]
        assert session.items[2]["output"] == "10:30"

    run([Answer("", calls=[Call(name="clock", arguments='{"zone":"CET"}')]), Answer()], use)


def test_an_answer_that_ran_out_of_tokens_says_so() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        pieces = await answered(agent, replace(ASKED, max_output_tokens=50))
        assert pieces[-1] == Ended("max_output_tokens")
        assert server.sessions[0].got[-1]["response"] == {"max_output_tokens": 50}

    run(Answer(status="incomplete", reason="max_output_tokens"), use)


def test_a_steered_answer_is_told_to_go_on() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        steered = then(ASKED, cut("Hello", 250), typed("in French", "item_3"))
        await answered(agent, replace(steered, steered=Steered("instruction", 1, "Hello")))
        told = server.sessions[0].got[-1]["response"]["instructions"]
        assert told.startswith("Be brief.")
        assert "“Hello”" in told

    run(Answer(), use)


# --- being cut ---


def test_a_cancelled_answer_is_stopped_upstream_and_nothing_of_it_reaches_the_next_one() -> None:
    gate = asyncio.Event()

    async def hold(at: int) -> None:
        if at == 2:
            await gate.wait()

    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        pieces = agent.reply(ASKED)
        heard = [await anext(pieces) for _ in range(4)]
        assert heard[2] == " two"
        stop = asyncio.create_task(anext(pieces))
        await asyncio.sleep(0)
        stop.cancel()
        await asyncio.gather(stop, return_exceptions=True)
        await server.until(lambda: bool(server.sessions[0].cancelled_at))
        again = then(ASKED, cut("one", 250), typed("no", "item_3"))
        assert "Other" in await answered(agent, again)
        [session] = server.sessions
        assert session.refused == []
        assert session.said() == [("user", "1000 ms"), ("assistant", "250 ms"), ("user", "no"), ("assistant", "Other")]

    run([Answer("one two three", before_word=hold), Answer("Other")], use)


def test_a_server_that_does_not_stop_is_left() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        pieces = agent.reply(ASKED)
        await anext(pieces)
        await pieces.aclose()
        assert "Other" in await answered(agent, then(ASKED, typed("no", "item_3")))
        assert len(server.sessions) == 2
        await server.until(lambda: server.sessions[0].closed)

    script = [Answer("one two", fault="no_ack", fault_after=1), Answer("Other")]
    run(script, use, patience=Patience(connect_s=0.3))


def test_an_answer_that_nobody_heard_is_taken_out_upstream() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await answered(agent, then(ASKED, typed("wait", "item_3")))
        session = server.sessions[0]
        assert session.said()[:2] == [("user", "1000 ms"), ("user", "wait")]
        assert session.refused == []

    run(Answer(), use)


def test_an_answer_cut_after_it_was_generated_is_truncated_where_it_was_heard() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await answered(agent, then(ASKED, cut("Hello", 9_999_999), typed("go on", "item_3")))
        await answered(agent, then(ASKED, cut("Hello", 9_999_999), typed("go on", "item_3")))
        session = server.sessions[0]
        truncations = [event for event in session.got if event["type"] == "conversation.item.truncate"]
        assert [event["audio_end_ms"] for event in truncations] == [2 * WORD_MS]
        assert session.refused == []

    run(Answer(), use)


def test_words_corrected_or_cut_in_writing_take_the_place_of_what_was_said() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        shown = replace(said("Hello"), interrupted=True)
        again = replace(ASKED, response_id="resp_2", sounds={}, messages=(replace(ASK, text="what day is it"), shown))
        await answered(agent, again)
        session = server.sessions[0]
        assert session.said()[:2] == [("user", "what day is it"), ("assistant", "Hello")]
        assert session.refused == []

    run(Answer(), use)


# --- one upstream session after another ---


def test_a_session_about_to_end_is_replaced_between_two_answers_and_told_the_conversation() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        server.expires_in_s = lambda: 3600.0
        await server.until(lambda: len(server.sessions) == 2)  # nobody asks meanwhile
        await server.until(lambda: server.sessions[0].closed)
        assert server.sessions[1].got == []
        assert await answered(agent, then(ASKED, cut("Hello", 250), typed("go on", "item_3")))
        fresh = server.sessions[1]
        expected = [
            ("user", "what time is it"),
            ("assistant", "Hello"),
            ("user", "go on"),
            ("assistant", "Hello there."),
        ]
        assert fresh.said() == expected
        assert fresh.settings["instructions"] == "Be brief."
        assert len(server.sessions) == 2

    run(Answer(), use, expires_in_s=lambda: 0.3)


def test_an_answer_that_runs_when_its_session_should_be_replaced_is_let_finish() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        answers = [await answered(agent)]
        server.expires_in_s = None
        answers.append(await answered(agent, then(ASKED, said("one two three four"), typed("again", "item_3"))))
        for pieces in answers:
            assert "".join(piece for piece in pieces if isinstance(piece, str)) == "one two three four"

    run(Answer("one two three four", delay_s=0.1), use, expires_in_s=lambda: 0.3)


def test_a_server_whose_clock_is_not_ours_is_not_asked_for_session_after_session() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await answered(agent, then(ASKED, said("Hello there."), typed("again", "item_3")))
        assert len(server.sessions) == 1

    run(Answer(), use, expires_in_s=lambda: -5.0)


def test_a_connection_lost_between_two_answers_is_not_noticed() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await server.sessions[0].drop()
        await answered(agent, then(ASKED, said("Hello there."), typed("go on", "item_3")))
        assert server.sessions[1].said()[:3] == [
            ("user", "what time is it"),
            ("assistant", "Hello there."),
            ("user", "go on"),
        ]

    run(Answer(), use)


def test_a_connection_lost_before_the_first_word_is_not_noticed() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert "Hello" in await answered(agent)
        assert [session.turns for session in server.sessions] == [[SAID], [SAID]]

    run([Answer(fault="reset"), Answer()], use)


def test_a_session_that_cannot_be_mended_is_replaced() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        server.refuses["conversation.item.truncate"] = {"code": "invalid_value"}
        assert "Hello" in await answered(agent, then(ASKED, cut("Hello", 250), typed("go on", "item_3")))
        assert server.sessions[1].said()[:3] == [("user", "what time is it"), ("assistant", "Hello"), ("user", "go on")]

    run(Answer(), use)


def test_two_answers_at_a_time_have_a_session_each() -> None:
    gate = asyncio.Event()

    async def hold(at: int) -> None:
        if at == 1:
            await gate.wait()

    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        first = asyncio.create_task(answered(agent))
        await server.until(lambda: server.answered == 1)
        assert "Beside" in await answered(agent, replace(ASKED, response_id="resp_2"))
        gate.set()
        assert " two" in await first
        await server.until(lambda: server.sessions[1].closed)
        assert not server.sessions[0].closed

    run([Answer("one two", before_word=hold), Answer("Beside")], use)


@pytest.mark.parametrize("beside", [{"beside": True}, {"given": True}])
def test_an_answer_beside_the_conversation_leaves_its_session_alone(beside: dict[str, Any]) -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await answered(agent, replace(ASKED, messages=(Message("user", "sum it up"),), sounds={}, **beside))
        assert server.sessions[0].said() == [("user", "1000 ms"), ("assistant", "Hello there.")]
        assert server.sessions[1].said()[0] == ("user", "sum it up")
        assert server.sessions[1].settings["output_modalities"] == (["text"] if "beside" in beside else ["audio"])
        await server.until(lambda: server.sessions[1].closed)

    run(Answer(), use)


def test_a_session_that_is_asked_nothing_for_long_is_closed() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        await answered(agent)
        await server.until(lambda: server.sessions[0].closed)
        assert "Hello" in await answered(agent)

    run(Answer(), use, idle_s=0.1)


# --- faults ---


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "model_refused"),
        (403, "model_refused"),
        (404, "model_refused"),
        (429, "rate_limited"),
        (500, "model_failed"),
    ],
)
def test_a_session_that_is_refused(status: int, code: str) -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        error = await failure(agent)
        assert error.code == code
        assert str(status) in str(error)
        assert "sk-test" not in str(error)

    run(Answer(), use, status=status)


def test_a_server_that_is_not_there() -> None:
    async def main() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            agent = OpenAIRealtime("voice", None, f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
            assert (await failure(agent)).code == "model_unreachable"
            await agent.aclose()

    asyncio.run(main())


def test_a_server_that_does_not_greet() -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert (await failure(agent)).code == "model_timeout"

    run(Answer(), use, greets=False, patience=Patience(connect_s=0.1))


@pytest.mark.parametrize(
    ("fault", "code"),
    [("silent", "model_timeout"), ("garbage", "model_failed"), ("failed", "model_failed")],
)
def test_an_answer_that_does_not_begin(fault: Fault, code: str) -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert (await failure(agent)).code == code

    run(Answer(fault=fault), use, patience=Patience(first_token_s=0.3))


@pytest.mark.parametrize(
    ("fault", "code"),
    [("stall", "model_timeout"), ("garbage", "model_failed"), ("reset", "model_failed"), ("failed", "model_failed")],
)
def test_an_answer_that_breaks_in_the_middle_is_not_asked_for_again(fault: Fault, code: str) -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        pieces: list[Piece] = []

        async def take() -> None:
            async with aclosing(agent.reply(ASKED)) as stream:
                async for piece in stream:
                    pieces.append(piece)  # noqa: PERF401 - what came before the error matters

        with pytest.raises(AgentError) as caught:
            await take()
        assert caught.value.code == code
        assert pieces[:2] == ["one", Sound(tone(0))]
        assert server.answered == 1

    run(Answer("one two", fault=fault, fault_after=1), use, patience=Patience(next_token_s=0.3))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, "model_refused"),
        ({"type": "invalid_request_error", "code": "invalid_value"}, "model_refused"),
        ({"type": "rate_limit_error", "code": "rate_limit_exceeded"}, "rate_limited"),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, "rate_limited"),
    ],
)
def test_what_the_server_calls_an_error_is_told_in_our_words(error: dict[str, str], code: str) -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        told = await failure(agent)
        assert told.code == code
        assert "canary" not in str(told)

    run(Answer(status="failed", error={**error, "message": "canary"}), use)


def test_settings_that_the_server_refuses_end_the_answer() -> None:
    async def use(server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert (await failure(agent)).code == "model_refused"
        assert len(server.sessions) == 1

    run(Answer(), use, refuses={"session.update": {"code": "invalid_value"}})


def test_an_answer_without_a_word_is_a_failure() -> None:
    async def use(_server: FakeRealtime, agent: OpenAIRealtime) -> None:
        assert (await failure(agent)).code == "model_failed"

    run(Answer(""), use)


def test_it_needs_a_key_or_an_address_that_is_one() -> None:
    with pytest.raises(SettingsError, match="needs a key"):
        OpenAIRealtime("voice")
    with pytest.raises(SettingsError, match="http://"):
        OpenAIRealtime("voice", None, "ftp://somewhere")
