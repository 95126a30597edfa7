"""What a ``session.update`` makes of a session object, key by key as OpenAI's clients know it."""

import json

import msgspec
import pytest
from openai.types.realtime import RealtimeSessionCreateRequest

from gateway.agents.scripted import ScriptedAgent
from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.transports import config as conf
from gateway.transports.config import ConnectionConfig
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.wire import Client, line, update
from tests.virtual_time import run

OF_SOME_MODELS = {"reasoning", "parallel_tool_calls"}
"""What means something for reasoning models alone: shown where a client has set it."""


async def updated(client: Client, **session: object) -> Json:
    """The session object that answers a change."""
    before = len(client.all("session.updated"))
    await client.send("session.update", **update(**session))
    assert client.all("error") == []
    found: Json = (await client.get("session.updated", before + 1))["session"]
    return found


def test_the_session_object_has_every_key_that_a_stock_client_may_look_for() -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            session = client.got[0]["session"]
            known = set(RealtimeSessionCreateRequest.model_fields)
            assert known - OF_SOME_MODELS <= set(session)
            assert set(session) - known == {"id", "object", "bargein"}
            assert set(session["audio"]["input"]) == {"format", "transcription", "noise_reduction", "turn_detection"}
            assert set(session["audio"]["output"]) == {"format", "voice", "speed"}
            assert (session["truncation"], session["tracing"]) == ("auto", None)
            assert (session["prompt"], session["include"]) == (None, None)

    run(main())


@pytest.mark.parametrize(
    ("key", "given", "cleared"),
    [
        ("tracing", "auto", None),
        ("tracing", {"workflow_name": "w", "group_id": "g", "metadata": {"k": "v"}}, None),
        ("prompt", {"id": "pmpt_1", "version": "2", "variables": {"name": "Ada"}}, None),
        ("include", ["item.input_audio_transcription.logprobs"], None),
        ("truncation", "disabled", "auto"),
        ("truncation", {"type": "retention_ratio", "retention_ratio": 0.8}, "auto"),
        (
            "truncation",
            {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 9}},
            "auto",
        ),
        ("reasoning", {"effort": "low"}, "absent"),
        ("parallel_tool_calls", False, "absent"),
    ],
)
def test_what_is_only_noted_is_shown_again_stays_and_goes_with_null(key: str, given: object, cleared: object) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            assert (await updated(client, **{key: given}))[key] == given
            assert (await updated(client, instructions="Be brief."))[key] == given
            assert (await updated(client, **{key: None})).get(key, "absent") == cleared
            assert all(problems(json.dumps(event)) == [] for event in client.got)

    run(main())


def test_nulls_in_what_is_noted_are_left_out_of_what_is_shown() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            session = await updated(client, tracing={"workflow_name": "w", "group_id": None})
            assert session["tracing"] == {"workflow_name": "w"}

    run(main())


def test_transcription_and_noise_reduction_are_merged_field_by_field() -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())

            async def of(**fields: object) -> tuple[object, object]:
                shown = (await updated(client, audio={"input": fields}))["audio"]["input"]
                return shown["transcription"], shown["noise_reduction"]

            assert await of() == ({"model": "scripted"}, None)
            words, _ = await of(transcription={"model": "gpt-4o-mini-transcribe", "prompt": None})
            assert words == {"model": "gpt-4o-mini-transcribe"}
            words, _ = await of(transcription={"language": "de", "keywords": ["Bargein"], "delay": "low"})
            assert words == {
                "model": "gpt-4o-mini-transcribe",
                "language": "de",
                "keywords": ["Bargein"],
                "delay": "low",
            }
            words, quiet = await of(transcription={"language": None}, noise_reduction={"type": "far_field"})
            assert words == {"model": "gpt-4o-mini-transcribe", "keywords": ["Bargein"], "delay": "low"}
            assert quiet == {"type": "far_field"}
            assert (await of(noise_reduction={"strength": 1}))[1] == {"type": "far_field", "strength": 1.0}
            assert await of(transcription=None, noise_reduction=None) == (None, None)
            assert (await of(transcription={"language": "fr"}))[0] == {"model": "scripted", "language": "fr"}
            assert all(problems(json.dumps(event)) == [] for event in client.got)

    run(main())


def test_names_that_nobody_knows_here_are_taken() -> None:
    """Stock clients name OpenAI's models and voices; what serves here is the operator's choice."""

    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open(model="local"))
            session = await updated(
                client,
                model="gpt-realtime-2.1",
                audio={"input": {"transcription": {"model": "whisper-9"}}, "output": {"voice": "marin"}},
            )
            assert session["model"] == "local"
            assert session["audio"]["input"]["transcription"]["model"] == "whisper-9"
            assert session["audio"]["output"]["voice"] == "marin"

    run(main())


def test_a_voice_may_change_after_it_has_spoken() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("hi")
            await client.get("response.done")
            assert (await updated(client, audio={"output": {"voice": "ash"}}))["audio"]["output"]["voice"] == "ash"
            await client.leave()

    run(main())


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"tracing": "always"}, "session.tracing"),
        ({"truncation": "never"}, "session.truncation"),
        ({"truncation": {"type": "retention_ratio"}}, "session.truncation.retention_ratio"),
        ({"include": ["everything"]}, "session.include[0]"),
        ({"prompt": {}}, "session.prompt.id"),
        ({"audio": {"output": {"speed": 1.6}}}, "session.audio.output.speed"),
        ({"audio": {"output": {"speed": 0.2}}}, "session.audio.output.speed"),
        ({"audio": {"input": {"noise_reduction": {"type": "loud"}}}}, "session.audio.input.noise_reduction.type"),
    ],
)
def test_what_no_stock_client_could_read_again_is_refused(session: Json, param: str) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            await client.send("session.update", event_id="e1", **update(instructions="changed", **session))
            error = client.all("error")[0]["error"]
            assert (error["param"], error["event_id"]) == (param, "e1")
            assert error["code"] in ("invalid_value", "missing_required_parameter")
            assert (await _shown(client))["instructions"] == ""

    run(main())


async def _shown(client: Client) -> Json:
    await client.send("session.update", **update())
    found: Json = client.all("session.updated")[-1]["session"]
    return found


# --- what belongs to whom ---


def test_every_field_is_of_the_session_or_of_the_connection() -> None:
    """A field that is added must be given to one of them; those of the session do not change a connection."""
    of_the_session = {"instructions", "bargein", "model", "tools", "tool_choice", "max_output_tokens"}
    named = {"session.type", "session.audio", *(f"session.{name}" for name in (*conf.NOTED, "output_modalities"))}
    fields = {f"session.{name}" for name in rt.SessionChanges.__struct_fields__} - named
    assert fields <= {f"session.{name}" for name in of_the_session}


def test_a_change_names_what_it_touches_of_the_connection() -> None:
    everything = {
        "type": "transcription",
        "instructions": "Be brief.",
        "output_modalities": ["text"],
        "tracing": None,
        "audio": {"input": {}, "output": {"voice": "ash", "format": {}, "speed": 1.0}},
    }
    assert list(conf.of_the_connection(msgspec.convert(everything, rt.SessionChanges))) == [
        "session.type",
        "session.output_modalities",
        "session.tracing",
        "session.audio.input",
        "session.audio.output.format",
        "session.audio.output.speed",
    ]
    shared = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "ash"}}}
    assert list(conf.of_the_connection(msgspec.convert(shared, rt.SessionChanges))) == []


def test_a_refused_change_leaves_the_configuration_as_it_was() -> None:
    config = ConnectionConfig(("audio",))
    changes = msgspec.convert({"audio": {"input": {}, "output": {"speed": 9}}}, rt.SessionChanges)
    with pytest.raises(ProtocolViolation):
        conf.updated(config, changes)
    assert config == ConnectionConfig(("audio",))


def test_a_limit_of_tokens_makes_a_window_of_what_models_are_given() -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            limits = {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 900}}
            session = await updated(client, truncation=limits)
            assert session["truncation"] == limits
            assert session["bargein"]["context"] == {"policy": "window", "max_tokens": 900}

    run(main())
