"""The fakes that ship with the product do what they say."""

import asyncio

import pytest

from gateway.agents.scripted import Crash, Fail, Hold, Pause, Say, ScriptedAgent, ScriptError
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.inputs import PlayoutCleared
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation
from gateway.runtime.scripted import Begun, Call, Flushed, ScriptedVoice
from tests.virtual_time import now, run

ASKED = Conversation("session", "response", "", ())
FIRST, SECOND = Generation(1), Generation(2)


async def replied(agent: ScriptedAgent) -> list[str]:
    return [piece async for piece in agent.reply(ASKED) if isinstance(piece, str)]


def test_a_reply_is_a_text_or_steps_in_their_order() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", [Say("Two"), Pause(3), Say(".")])
        assert await replied(agent) == ["One."]
        assert await replied(agent) == ["Two", "."]
        assert now() == pytest.approx(3)
        assert agent.endings == ["finished", "finished"]
        assert agent.asked == [ASKED, ASKED]
        agent.verify()

    run(main())


def test_a_reply_that_holds_waits_until_it_is_released() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("a"), Hold(), Say("b")])
        task = asyncio.create_task(replied(agent))
        await agent.holding()
        assert agent.endings == ["running"]
        agent.release()
        assert await task == ["a", "b"]
        with pytest.raises(ScriptError):
            agent.release()

    run(main())


def test_holding_replies_are_released_oldest_first() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Hold(), Say("first")], [Hold(), Say("second")])
        first, second = asyncio.create_task(replied(agent)), asyncio.create_task(replied(agent))
        await asyncio.sleep(1)
        agent.release()
        assert await first == ["first"]
        assert not second.done()
        agent.release()
        assert await second == ["second"]

    run(main())


def test_a_cancelled_reply_says_so_and_holds_no_longer() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Hold()])
        task = asyncio.create_task(replied(agent))
        await agent.holding()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert agent.endings == ["cancelled"]
        with pytest.raises(ScriptError):
            agent.release()

    run(main())


def test_replies_fail_and_crash_as_told() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Fail("model_timeout")], [Crash()])
        with pytest.raises(AgentError) as failed:
            await replied(agent)
        assert failed.value.code == "model_timeout"
        with pytest.raises(ZeroDivisionError):
            await replied(agent)
        assert agent.endings == ["failed", "failed"]

    run(main())


def test_the_script_is_strict_in_both_directions() -> None:
    async def main() -> None:
        agent = ScriptedAgent("only")
        with pytest.raises(ScriptError):
            agent.verify()
        await replied(agent)
        agent.verify()
        with pytest.raises(AgentError):
            await replied(agent)
        with pytest.raises(ScriptError):
            agent.verify()

    run(main())


def test_a_scripted_voice_remembers_and_says_where_it_stood() -> None:
    seen: list[Call] = []
    voice = ScriptedVoice(seen.append)
    voice.begin(FIRST, ResponseId("resp"), ItemId("item"))
    voice.speak(FIRST, "Hello ")
    voice.speak(FIRST, "world")
    voice.play(FIRST, chars=6, ms=400)
    assert voice.flush(FIRST) == PlayoutCleared(FIRST, 6, 400, started=True)
    assert voice.flush(FIRST) is None
    assert voice.spoken(FIRST) == "Hello world"
    assert seen == voice.calls
    assert seen[0] == Begun(FIRST, ResponseId("resp"), ItemId("item"))
    assert seen[-1] == Flushed(FIRST)


def test_a_scripted_voice_that_never_sounded_says_that() -> None:
    voice = ScriptedVoice()
    assert voice.flush(SECOND) is None
    voice.begin(SECOND, ResponseId("resp"), ItemId("item"))
    assert voice.flush(SECOND) == PlayoutCleared(SECOND, 0, 0, started=False)
