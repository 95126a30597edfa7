"""A model that fails leaves nobody who asked by voice in silence."""

import pytest

from gateway.agents.scripted import Crash, Fail, Hold, Say, ScriptedAgent, Step
from gateway.core import events as ev, inputs as inp
from gateway.core.policy import BACKCHANNELS
from gateway.core.values import Settings
from gateway.runtime.choice import Agents
from gateway.runtime.regrets import NO_ANSWER, NO_MORE
from tests.runtime.stage import Client, stage
from tests.virtual_time import run

SORRY, STUCK = NO_ANSWER["en"], NO_MORE["en"]


async def failed(client: Client) -> tuple[str, str, str]:
    """What was spoken, the response's status and its code."""
    ended = await client.listener.until_heard(ev.ResponseEnded)
    assert ended.failure is not None
    spoken = client.voice.spoken(ended.generation) if client.voice is not None else ""
    return spoken, ended.status, ended.failure.code


@pytest.mark.parametrize(
    ("steps", "spoken", "code"),
    [
        ([Fail("model_timeout")], SORRY, "model_timeout"),
        ([Say("Once upon"), Fail("model_failed")], f"Once upon {STUCK}", "model_failed"),
        ([Crash()], SORRY, "agent_crashed"),
    ],
)
def test_by_voice_a_failure_is_told_aloud(steps: list[Step], spoken: str, code: str) -> None:
    async def main() -> None:
        async with stage(Agents(ScriptedAgent(steps, "Two."), regrets=True)) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("a")
            assert await failed(client) == (spoken, "failed", code)
            await client.ask("b")
            assert (await client.listener.until_heard(ev.ResponseEnded, 2)).status == "completed"

    run(main())


@pytest.mark.parametrize(("voice", "regrets"), [(False, True), (True, False)])
def test_whoever_reads_has_the_error_and_whoever_wants_none_hears_nothing(voice: bool, regrets: bool) -> None:
    async def main() -> None:
        async with stage(Agents(ScriptedAgent([Say("Once upon"), Fail("model_failed")]), regrets=regrets)) as on:
            client = await on.join(await on.open(), voice=voice)
            await client.ask("a")
            await failed(client)
            assert [it.text for it in client.listener.all(ev.TextAppended)] == ["Once upon"]

    run(main())


def test_it_is_said_in_the_session_s_language() -> None:
    async def main() -> None:
        async with stage(Agents(ScriptedAgent([Fail("model_failed")]), regrets=True)) as on:
            client = await on.join(await on.registry.open(Settings(language="de")), voice=True)
            await client.ask("a")
            assert (await failed(client))[0] == NO_ANSWER["de"]

    run(main())


def test_a_steer_that_failed_has_its_receipt_and_was_not_consumed() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()], [Fail("model_failed")])
        async with stage(Agents(agent, regrets=True)) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("a")
            await agent.holding()
            await client.do(inp.SteerRequested("shorter"), command="steer")
            await failed(client)
            assert [it.code for it in client.listener.all(ev.SteerFailed)] == ["model_failed"]
            assert client.listener.all(ev.SteerConsumed) == []

    run(main())


def test_there_is_a_sentence_in_every_language_that_a_session_may_have() -> None:
    assert set(NO_ANSWER) == set(NO_MORE) == set(BACKCHANNELS)
