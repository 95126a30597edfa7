"""Several models behind one gateway, chosen by name over real sockets."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import SettingsError
from gateway.models import choose_agents, names_of
from gateway.runtime.ports import Conversation
from gateway.settings import Settings, read_file
from media.leg import Engines
from media.speech import Manner, Speech
from tests.agents.fake_openai import FakeOpenAI
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import STOCK, Gateway, serving

Talk = Callable[[Gateway, FakeOpenAI], Awaitable[None]]

SEVERAL = {"model": "small", "models": "large,echo=tests.test_models:echo", "model_alias": "gpt-realtime=qwen3:8b"}


async def echo(conversation: Conversation) -> AsyncGenerator[str, None]:
    """A model that repeats the user."""
    yield conversation.messages[-1].text


def served(folder: Path, talk: Talk, **settings: Any) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(20),
            FakeOpenAI(lambda request: [f"I am {request.body['model']}."]) as model,
            serving(folder, **{"agent": "openai_chat", "base_url": model.base_url, **SEVERAL, **settings}) as gateway,
        ):
            await talk(gateway, model)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("asked", "shown", "said"),
    [
        ("large", "large", "I am large."),
        ("gpt-realtime", "qwen3:8b", "I am qwen3:8b."),
        ("gpt-realtime-2.1", "small", "I am small."),
        ("echo", "echo", "hello"),
    ],
)
def test_a_session_is_answered_by_the_model_that_its_address_names(
    tmp_path: Path, asked: str, shown: str, said: str
) -> None:
    async def talk(gateway: Gateway, _model: FakeOpenAI) -> None:
        async with gateway.socket(f"model={asked}", STOCK) as socket:
            session = (await socket.get("session.created"))["session"]
            assert session["model"] == shown
            await socket.ask("hello")
            assert (await socket.get("response.output_text.done"))["text"] == said

    served(tmp_path, talk)


def test_a_model_in_a_client_s_code_does_not_take_the_place_of_one_in_its_address(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, model: FakeOpenAI) -> None:
        async with gateway.socket("model=large", STOCK) as socket:
            await socket.send("session.update", session={"type": "realtime", "model": "gpt-realtime-2.1"})
            assert (await socket.get("session.updated"))["session"]["model"] == "large"
        async with gateway.socket("model=gpt-realtime-2.1", STOCK) as socket:
            await socket.send("session.update", session={"type": "realtime", "model": "large"})
            assert (await socket.get("session.updated"))["session"]["model"] == "large"
            await socket.ask("hello")
            await socket.get("response.done")
            assert socket.all("error") == []
        assert model.requests[-1].body["model"] == "large"

    served(tmp_path, talk)


def test_a_secret_and_a_request_choose_a_model_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, _model: FakeOpenAI) -> None:
        wish = json.dumps({"session": {"type": "realtime", "model": "gpt-realtime"}})
        made = (await gateway.http("POST", "/v1/realtime/client_secrets", wish)).json
        assert made["session"]["model"] == "qwen3:8b"
        async with gateway.socket("", STOCK, f"openai-insecure-api-key.{made['value']}") as socket:
            assert (await socket.get("session.created"))["session"]["model"] == "qwen3:8b"
        opened = await gateway.http("POST", "/v1/sessions", '{"model": "large"}')
        assert (opened.status, opened.json["model"]) == (201, "large")

    served(tmp_path, talk)


def test_a_table_and_a_list_of_a_file_are_what_flags_say_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bargein.toml"
    path.write_text(
        'models = ["large", "tiny"]\nvoices = ["de", "fr"]\nfirst_token_s = 3\n'
        '[model_alias]\n"gpt-realtime" = "large"\n[voice_alias]\nmarin = "de"\n'
    )
    settings = Settings(**read_file(path))
    assert settings.further_models == {"large": "", "tiny": ""}
    assert (settings.model_aliases, settings.voice_aliases) == ({"gpt-realtime": "large"}, {"marin": "de"})
    assert (settings.voice_list, settings.first_token_s) == (("de", "fr"), 3.0)


def test_an_agent_without_models_takes_any_name() -> None:
    assert names_of(Settings(agent="offline"), None).models.first("gpt-realtime") == "gpt-realtime"


def test_a_model_beside_an_agent_without_models_says_who_serves_it() -> None:
    chosen = Settings(agent="offline", models="echo=tests.test_models:echo")
    names, agents = names_of(chosen, None).models, choose_agents(chosen)
    assert (names.first("gpt-realtime"), names.first("echo")) == ("offline", "echo")
    assert (agents.of("offline").name, agents.of("echo").name) == ("offline", "callable tests.test_models:echo")
    for wrong in (Settings(agent="offline", models="large"), Settings(agent="offline", model_alias="a=large")):
        with pytest.raises(SettingsError, match="needs an agent"):
            choose_agents(wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"models": "=openai_chat"}, {"models": "a=nobody"}, {"model_alias": "a"}, {"voice_alias": "=b"}]
    + [{name: value} for name in ("first_token_s", "next_token_s") for value in (0.0, -1.0, float("inf"))],
)
def test_what_cannot_be_meant_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Settings(**wrong)


class Choir(ToneSynthesizer):
    """Remembers in which voice it spoke."""

    def __init__(self, voice: str, sung: list[str]) -> None:
        super().__init__()
        self.voice, self.sung = voice, sung

    def speak_as(self, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
        self.sung.append(manner.voice or self.voice)
        return self.speak(text)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("marin", "alto"), ("tenor", "tenor"), ("ash", "bass"), (None, "bass"), ({"id": "tenor"}, "tenor")],
)
def test_a_session_is_spoken_to_in_a_voice_of_the_engine(tmp_path: Path, asked: object, shown: str) -> None:
    sung: list[str] = []
    engines = Engines(Choir("bass", sung), ScriptedRecognizer(), LoudnessModel)

    async def talk(gateway: Gateway, _model: FakeOpenAI) -> None:
        async with gateway.socket("model=small", STOCK) as socket:
            assert (await socket.get("session.created"))["session"]["audio"]["output"]["voice"] == "bass"
            await socket.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": asked}}})
            assert (await socket.get("session.updated"))["session"]["audio"]["output"]["voice"] == shown
            await socket.ask("hello")
            await socket.get("response.output_audio.delta")
        assert sung[0] == shown

    served(tmp_path, talk, engines=engines, voices="tenor", voice_alias="marin=alto")


def test_voices_of_an_engine_that_has_but_one_are_a_mistake() -> None:
    plain = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
    assert names_of(Settings(), plain).voices.first("marin") == "marin"
    for wrong in (Settings(voices="tenor"), Settings(voice_alias="marin=tenor")):
        with pytest.raises(SettingsError, match="but one voice"):
            names_of(wrong, plain)
        assert names_of(wrong, None).voices.default == ""
