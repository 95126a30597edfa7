"""Every ``error`` says of what type it is, which code it has, which field is at fault, and which event it answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.runtime.ports import Agent
from tests.protocol.stock import problems
from tests.transports.server import STOCK, Gateway, serving

FAULT, OURS = "invalid_request_error", "server_error"


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], agent: Agent | None = None) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, agent=agent) as gateway:
            await talk(gateway)

    asyncio.run(main())


SENT: list[tuple[str | dict[str, Any], tuple[str, str, str | None]]] = [
    ('{"event_id":"e1",', (FAULT, "invalid_json", None)),
    ({"type": "session.delete"}, (FAULT, "unknown_event_type", "type")),
    ({"type": "bargein.secret"}, (FAULT, "unknown_event_type", "type")),
    ({"type": "session.update"}, (FAULT, "missing_required_parameter", "session")),
    ({"type": "conversation.item.retrieve"}, (FAULT, "missing_required_parameter", "item_id")),
    ({"type": "session.update", "session": {"instructions": 5}}, (FAULT, "invalid_value", "session.instructions")),
    (
        {"type": "session.update", "session": {"output_modalities": ["audio", "text"]}},
        (FAULT, "invalid_value", "session.output_modalities"),
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": -1},
        (FAULT, "invalid_value", "audio_end_ms"),
    ),
    (
        {"type": "conversation.item.retrieve", "item_id": "nobody"},
        (FAULT, "item_retrieve_invalid_item_id", "item_id"),
    ),
    ({"type": "input_audio_buffer.commit"}, (FAULT, "input_audio_buffer_commit_empty", None)),
    ({"type": "input_audio_buffer.append", "audio": "AAAA"}, (OURS, "voice_unavailable", None)),
    ({"type": "response.cancel"}, (FAULT, "response_cancel_not_active", None)),
]


@pytest.mark.parametrize(("sent", "expected"), SENT, ids=lambda it: it[1] if isinstance(it, tuple) else "")
def test_an_error_says_what_is_wrong_and_which_event_it_answers(
    tmp_path: Path, sent: str | dict[str, Any], expected: tuple[str, str, str | None]
) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.raw(sent if isinstance(sent, str) else json.dumps({**sent, "event_id": "e1"}))
            error = (await socket.get("error"))["error"]
            assert (error["type"], error["code"], error["param"]) == expected
            assert error["event_id"] == "e1"
            assert error["message"]
            assert problems(json.dumps(socket.all("error")[0])) == []

    served(tmp_path, talk)


def test_a_second_answer_is_refused_with_the_event_that_asked_for_it(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.send("response.create", event_id="e2")
            error = (await socket.get("error"))["error"]
            assert (error["type"], error["code"]) == (FAULT, "conversation_already_has_active_response")
            assert error["event_id"] == "e2"

    served(tmp_path, talk, ScriptedAgent([Say("One "), Hold()]))


def test_a_field_that_nobody_knows_is_no_error(tmp_path: Path) -> None:
    """At OpenAI it is; here a client may set what only its own server knows, and some end at an error."""

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            session = {"type": "realtime", "instructions": "Be brief.", "unheard_of": {"deep": [1]}}
            await socket.send("session.update", session=session, another=1)
            updated = await socket.get("session.updated")
            assert updated["session"]["instructions"] == "Be brief."
            assert socket.all("error") == []

    served(tmp_path, talk)
