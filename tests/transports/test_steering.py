"""Steering a running answer, as clients and the model server see it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.agents.openai_chat import OpenAIChat
from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.core import inputs as inp
from gateway.core.ids import Generation
from gateway.runtime.ports import SteerMode
from tests.agents.fake_openai import Answer, FakeOpenAI, Request
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import serving
from tests.transports.wire import Mirror, add_voice, line, report, update
from tests.virtual_time import run, settle

HELD = (Say("One two"), Hold(), Say(" three."))
RECORDED: Final = Path(__file__).parents[1] / "data" / "chat"
STEER: Final = "Let a fox come to her door."
BEGINNING: Final = (
    "Once upon a time there was an old lighthouse on a rock in the sea, and in it lived a keeper with her dog."
)


def receipts(events: list[Json]) -> list[str]:
    """What became of steers, in order."""
    kind = "response.steer."
    return [str(event["type"]).removeprefix(kind) for event in events if event["type"].startswith(kind)]


def shown(item: Json) -> tuple[str, str]:
    (part,) = item["content"]
    return item["role"], part.get("text") or part.get("transcript")


# --- on the wire ---


@pytest.mark.parametrize("mode", ["instruction", "prefill"])
def test_a_steered_answer_is_one_response_of_three_items(mode: SteerMode) -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, " and a fox.", steer=mode)
        async with line(agent) as at:
            actor = await at.open()
            one, two, stock = [await at.connect(actor, extended=it) for it in (True, True, False)]
            await one.ask("go", response={"output_modalities": ["text"]})
            created = await one.get("response.created")
            await agent.holding()
            await two.send("response.steer", previous_response_id=created["response"]["id"], input=STEER, event_id="e1")
            for client in (one, two, stock):
                response = (await client.get("response.done"))["response"]
                assert response["id"] == created["response"]["id"]
                assert response["status"] == "completed"
                parts = [("assistant", "One two"), ("user", STEER), ("assistant", " and a fox.")]
                assert [shown(item) for item in response["output"]] == parts
                assert [event["output_index"] for event in client.all("response.output_item.done")] == [0, 1, 2]
                assert len(client.all("response.done")) == 1
            await settle()
            assert receipts(one.got) == receipts(two.got) == ["accepted", "pending", "consumed"]
            assert all(problems(json.dumps(event)) == [] for event in stock.got)
            assert Mirror.of(one.got).texts == Mirror.of(two.got).texts == Mirror.of(stock.got).texts
            asked = agent.asked[1]
            assert [message.text for message in asked.messages] == ["go", "One two", STEER]
            assert asked.steered is not None
            assert (asked.steered.mode, asked.steered.since, asked.steered.partial) == (mode, 1, "One two")

    run(main())


def test_what_is_spoken_goes_on_from_what_was_heard() -> None:
    async def main() -> None:
        agent = ScriptedAgent((Say("One two three"), Hold()), " and a fox.")
        async with line(agent) as at:
            client = await at.connect(await at.open(), extended=True)
            voice = add_voice(client)
            await client.ask("go")
            await agent.holding()
            await settle()
            report(client, inp.PlayoutStarted(Generation(1)))
            voice.play(Generation(1), chars=4, ms=300)
            await client.get("output_audio_buffer.started")
            await client.send("response.steer", input=STEER)
            await client.get("response.done")
            truncated = await client.get("conversation.item.truncated")
            assert (truncated["heard_text"], truncated["unheard_text"]) == ("One ", "two three")
            assert agent.asked[1].messages[1].text == "One "
            assert voice.spoken(Generation(2)) == " and a fox."
            report(client, inp.PlayoutStarted(Generation(2)))
            report(client, inp.PlayoutStopped(Generation(2), 600))
            await client.get("output_audio_buffer.stopped")
            sound = [kind for kind in client.types() if kind.startswith("output_audio_buffer.")]
            assert [kind.rpartition(".")[2] for kind in sound] == ["started", "cleared", "started", "stopped"]

    run(main())


def test_a_client_that_resumes_in_the_middle_of_a_steered_answer_sees_its_whole_output() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, (Say(" and"), Hold(), Say(" a fox.")))
        async with line(agent) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            await first.ask("go")
            await agent.holding()
            await first.send("response.steer", input=STEER)
            await first.get("response.steer.consumed")
            await agent.holding()
            await settle()
            cursor = (actor.epoch, max(event["seq"] for event in first.got if "prev_seq" in event))
            await first.leave()
            again = await at.connect(actor, extended=True, resume=cursor)
            agent.release()
            output = (await again.get("response.done"))["response"]["output"]
            assert [shown(item)[0] for item in output] == ["assistant", "user", "assistant"]
            assert {event["output_index"] for event in again.all("response.output_text.delta")} == {2}

    run(main())


def test_what_cannot_be_steered_is_refused() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("response.steer", input=STEER, event_id="e1")
            assert (await client.get("command.rejected"))["code"] == "steer_not_active"
            await client.send("response.steer", input=[])
            assert (await client.get("error"))["error"]["param"] == "input"

    run(main())


# --- a recorded model ---


def recorded(name: str) -> list[str]:
    """The tokens of a recorded chat completions stream."""
    lines = (RECORDED / f"{name}.sse").read_text("utf-8").splitlines()
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    return [token for chunk in chunks if (token := chunk["choices"][0]["delta"].get("content"))]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


async def steered(folder: Path, mode: SteerMode, rest: str) -> tuple[list[Json], list[Request]]:
    """A recorded answer that is steered after its first sentence and a half: its output, and the model's requests."""
    reached, gate = asyncio.Event(), asyncio.Event()
    first = recorded("first")
    until = next(at for at in range(len(first)) if "".join(first[:at]).endswith("the stairs"))

    async def hold(number: int) -> None:
        if number == until:
            reached.set()
            await gate.wait()

    def script(request: Request) -> Answer:
        return Answer(tokens=first, before_token=hold) if request.number == 0 else Answer(tokens=recorded(rest))

    async with asyncio.timeout(20), FakeOpenAI(script) as server:
        agent = OpenAIChat("m", base_url=server.base_url, steer=mode)
        async with serving(folder, agent=agent) as gateway, gateway.socket() as socket:
            await socket.ask("Tell me a story.")
            await reached.wait()
            await socket.inbox.until(lambda: _text(socket.got).endswith("the stairs"))
            await socket.send("response.steer", input=STEER)
            done = await socket.get("response.done")
            assert (await server.disconnect()).request == 0
            assert receipts(socket.got) == ["accepted", "pending", "consumed"]
            assert len(socket.all("response.done")) == 1
            return done["response"]["output"], server.requests


def _text(got: list[Json]) -> str:
    return "".join(event["delta"] for event in got if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize("mode", ["prefill", "instruction"])
@pytest.mark.parametrize("rest", ["exact", "repeats", "starts-over", "starts-over-in-other-marks"])
def test_a_recorded_answer_that_is_steered_repeats_nothing_and_starts_nothing_over(
    tmp_path: Path, mode: SteerMode, rest: str
) -> None:
    output, requests = asyncio.run(steered(tmp_path, mode, rest))
    part, added, going_on = [shown(item) for item in output]
    assert added == ("user", STEER)
    assert part[1].startswith(BEGINNING)
    assert going_on[1] == "".join(recorded("exact"))
    told = words(part[1]) + words(going_on[1])
    runs = [tuple(told[at : at + 4]) for at in range(len(told) - 3)]
    assert len(set(runs)) == len(runs)
    roles = [role for role, _ in requests[1].messages]
    assert roles == (["user", "assistant"] if mode == "prefill" else ["system", "user", "assistant", "user"])
    assert ("assistant", part[1]) in requests[1].messages


def test_a_steer_is_taken_once_however_often_it_is_sent() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, " and a fox.")
        async with line(agent) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.ask("go")
            await agent.holding()
            same: dict[str, Any] = {"input": STEER, "idempotency_key": "k"}
            await client.send("response.steer", event_id="e1", **same)
            await client.send("response.steer", event_id="e2", **same)
            await client.send("response.steer", event_id="e3", input="Another.", idempotency_key="k")
            await client.get("response.done")
            accepted = {event["command_id"]: event["duplicate"] for event in client.all("command.accepted")}
            assert (accepted["e1"], accepted["e2"]) == (False, True)
            assert (await client.get("command.rejected"))["code"] == "idempotency_conflict"
            assert receipts(client.got) == ["accepted", "pending", "consumed"]

    run(main())


def test_the_sound_of_the_rest_has_its_own_place_and_the_old_part_has_none_after_its_end() -> None:
    async def main() -> None:
        agent = ScriptedAgent((Say("one two three four five six seven eight. "), Hold()), "and a fox.")
        async with line(agent, hears=()) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("session.update", **update(output_modalities=["audio"]))
            await client.ask("count")
            await client.get("response.output_audio.delta", 20)
            await client.send("response.steer", input=STEER)
            await client.get("output_audio_buffer.stopped")
            sound = client.all("response.output_audio.delta")
            first, _, rest = [event["item"]["id"] for event in client.all("response.output_item.added")]
            assert {(event["item_id"], event["output_index"]) for event in sound} == {(first, 0), (rest, 2)}
            cleared = client.types().index("output_audio_buffer.cleared")
            assert first not in {
                event.get("item_id") for event in client.got[cleared:] if "audio.delta" in event["type"]
            }
            await client.leave()

    run(main())
