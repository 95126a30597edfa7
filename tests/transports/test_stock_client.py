"""The stock client: ``openai``'s own Realtime client, with only its base URL changed."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeFunctionToolParam, RealtimeServerEvent

from gateway.agents.scripted import Give, Hold, Say, ScriptedAgent
from gateway.core.values import Usage
from gateway.runtime.ports import Agent, Ended, ToolCall
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import STANDARD, problems
from tests.transports.server import serving

Talk = Callable[[AsyncRealtimeConnection], Awaitable[None]]


def connected(folder: Path, talk: Talk, *, agent: Agent | None = None, engines: Engines | None = None) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(25),
            serving(folder, agent=agent, engines=engines, token="k3y") as gateway,
            AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="k3y") as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await talk(connection)

    asyncio.run(main())


async def until(connection: AsyncRealtimeConnection, kind: str) -> list[RealtimeServerEvent]:
    """What comes up to and with the next event of a type, every one of them as the package's types want it."""
    found: list[RealtimeServerEvent] = []
    async for event in connection:
        assert event.type in STANDARD
        assert problems(json.dumps(event.to_dict())) == []
        found.append(event)
        if event.type == kind:
            return found
    raise AssertionError("the connection was closed")


async def type_text(connection: AsyncRealtimeConnection, text: str) -> None:
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    await connection.response.create()


def test_a_written_conversation(tmp_path: Path) -> None:
    async def talk(connection: AsyncRealtimeConnection) -> None:
        created = (await until(connection, "session.created"))[0]
        assert created.type == "session.created"
        await connection.session.update(
            session={"type": "realtime", "instructions": "Be brief.", "output_modalities": ["text"], "tools": []}
        )
        updated = (await until(connection, "session.updated"))[-1]
        assert updated.type == "session.updated"
        assert updated.session.type == "realtime"
        assert updated.session.instructions == "Be brief."
        await type_text(connection, "Hello")
        events = await until(connection, "response.done")
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text == "Hello to you."

    connected(tmp_path, talk, agent=ScriptedAgent([Say("Hello "), Say("to you.")]))


def test_an_answer_is_cancelled_and_a_mistake_is_an_error_event(tmp_path: Path) -> None:
    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.response.cancel(event_id="e1")
        error = (await until(connection, "error"))[-1]
        assert error.type == "error"
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "e1")
        await type_text(connection, "Hello")
        await until(connection, "response.output_text.delta")
        await connection.response.cancel()
        done = (await until(connection, "response.done"))[-1]
        assert done.type == "response.done"
        assert done.response.status == "cancelled"
        assert done.response.status_details is not None
        assert done.response.status_details.reason == "client_cancelled"

    connected(tmp_path, talk, agent=ScriptedAgent([Say("Hello "), Hold()]))


def test_items_are_read_and_deleted_and_clients_name_them(tmp_path: Path) -> None:
    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.conversation.item.create(
            item={
                "id": "mine",
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hello"}],
            }
        )
        await connection.conversation.item.retrieve(item_id="mine")
        retrieved = (await until(connection, "conversation.item.retrieved"))[-1]
        assert retrieved.type == "conversation.item.retrieved"
        assert retrieved.item.type == "message"
        assert retrieved.item.id == "mine"
        await connection.conversation.item.delete(item_id="mine")
        deleted = (await until(connection, "conversation.item.deleted"))[-1]
        assert deleted.type == "conversation.item.deleted"
        assert deleted.item_id == "mine"

    connected(tmp_path, talk)


def test_a_conversation_by_voice_with_push_to_talk(tmp_path: Path) -> None:
    tone = (8000 * np.sin(2 * np.pi * 300 * np.arange(24_000) / 24_000)).astype("<i2").tobytes()

    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await until(connection, "session.updated")
        for at in range(0, len(tone), 9600):
            await connection.input_audio_buffer.append(audio=base64.b64encode(tone[at : at + 9600]).decode())
        await connection.input_audio_buffer.commit()
        said = (await until(connection, "conversation.item.input_audio_transcription.completed"))[-1]
        assert said.type == "conversation.item.input_audio_transcription.completed"
        assert said.transcript == "what time is it"
        await connection.response.create()
        events = await until(connection, "response.done")
        sound = b"".join(
            base64.b64decode(event.delta) for event in events if event.type == "response.output_audio.delta"
        )
        assert len(sound) == 2 * 24_000 * 3 // 5  # three words of 200 ms
        assert events[-2].type == "response.output_item.done"

    engines = Engines(ToneSynthesizer(), ScriptedRecognizer("what time is it"), LoudnessModel)
    connected(tmp_path, talk, agent=ScriptedAgent("It is noon."), engines=engines)


CLOCK: RealtimeFunctionToolParam = {
    "type": "function",
    "name": "clock",
    "description": "Tells the time.",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
}


def test_a_tool_is_called_and_its_result_is_answered(tmp_path: Path) -> None:
    agent = ScriptedAgent([Say("One moment."), Give(ToolCall("call_1", "clock", '{"zone":"UTC"}'))], "It is nine.")

    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.session.update(session={"type": "realtime", "tools": [CLOCK], "tool_choice": "auto"})
        updated = (await until(connection, "session.updated"))[-1]
        assert updated.type == "session.updated"
        assert updated.session.type == "realtime"
        assert [tool.to_dict() for tool in updated.session.tools or ()] == [CLOCK]
        await type_text(connection, "What time is it?")
        events = await until(connection, "response.done")
        kinds = [event.type for event in events if event.type.startswith("response.")]
        assert kinds[-5:] == [
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.done",
        ]
        done = events[-1]
        assert done.type == "response.done"
        assert [item.type for item in done.response.output or ()] == ["message", "function_call"]
        call = events[-2]
        assert call.type == "response.output_item.done"
        assert call.output_index == 1
        assert call.item.type == "function_call"
        assert (call.item.name, call.item.call_id, call.item.arguments) == ("clock", "call_1", '{"zone":"UTC"}')
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": "call_1", "output": "09:00"}
        )
        await connection.response.create()
        await until(connection, "response.done")

    connected(tmp_path, talk, agent=agent)
    offered, answered = agent.asked
    assert [(tool.name, tool.description) for tool in offered.tools] == [("clock", "Tells the time.")]
    assert [(message.kind, message.text) for message in answered.messages[2:]] == [
        ("function_call", '{"zone":"UTC"}'),
        ("function_call_output", "09:00"),
    ]


def test_an_answer_out_of_band_is_given_beside_another_one(tmp_path: Path) -> None:
    agent = ScriptedAgent([Say("Once "), Hold(), Say("upon a time.")], [Say("A story"), Give(Usage(20, 3))])

    async def talk(connection: AsyncRealtimeConnection) -> None:
        await type_text(connection, "Tell me a story.")
        await until(connection, "response.output_text.delta")
        await connection.response.create(
            response={
                "conversation": "none",
                "output_modalities": ["text"],
                "metadata": {"purpose": "title"},
                "instructions": "Give it a title.",
                "max_output_tokens": 20,
                "input": [
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Title, please."}]}
                ],
            }
        )
        events = await until(connection, "response.done")
        done = events[-1]
        assert done.type == "response.done"
        assert (done.response.metadata, done.response.status) == ({"purpose": "title"}, "completed")
        assert done.response.usage is not None
        assert (done.response.usage.input_tokens, done.response.usage.total_tokens) == (20, 23)
        assert not [event.type for event in events if event.type.startswith("conversation.item")]
        agent.release()
        assert (await until(connection, "response.done"))[-1].type == "response.done"

    connected(tmp_path, talk, agent=agent)
    _, beside = agent.asked
    assert [message.text for message in beside.messages] == ["Title, please."]
    assert (beside.instructions, beside.max_output_tokens) == ("Give it a title.", 20)


def test_an_answer_that_ran_out_of_tokens_is_incomplete(tmp_path: Path) -> None:
    async def talk(connection: AsyncRealtimeConnection) -> None:
        await type_text(connection, "Tell me a story.")
        done = (await until(connection, "response.done"))[-1]
        assert done.type == "response.done"
        assert done.response.status == "incomplete"
        assert done.response.status_details is not None
        assert done.response.status_details.reason == "max_output_tokens"

    connected(tmp_path, talk, agent=ScriptedAgent([Say("Once"), Give(Ended("max_output_tokens"))]))


def test_what_is_wrong_with_a_tool_is_an_error_with_its_place(tmp_path: Path) -> None:
    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.send({"type": "conversation.item.create", "item": {"type": "function_call_output"}})  # type: ignore[arg-type]  # what a client does wrong
        error = (await until(connection, "error"))[-1]
        assert error.type == "error"
        assert (error.error.code, error.error.param) == ("missing_required_parameter", "item.call_id")
        await connection.session.update(session={"type": "realtime", "tools": [CLOCK, CLOCK]})
        error = (await until(connection, "error"))[-1]
        assert error.type == "error"
        assert (error.error.code, error.error.param) == ("invalid_value", "session.tools")

    connected(tmp_path, talk)


def test_a_picture_reaches_the_model_and_its_place_is_shown(tmp_path: Path) -> None:
    address = "data:image/png;base64,iVBORw0KGgo="
    agent = ScriptedAgent("A dot.")

    async def talk(connection: AsyncRealtimeConnection) -> None:
        await connection.conversation.item.create(
            item={
                "id": "mine",
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": address},
                ],
            }
        )
        added = (await until(connection, "conversation.item.added"))[-1]
        assert added.type == "conversation.item.added"
        assert added.item.type == "message"
        assert [part.type for part in added.item.content] == ["input_text", "input_image"]
        await connection.response.create()
        await until(connection, "response.done")

    connected(tmp_path, talk, agent=agent)
    assert [message.images for message in agent.asked[0].messages] == [(address,)]
