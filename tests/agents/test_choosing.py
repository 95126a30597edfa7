"""Which agent the settings name."""

import asyncio

import pytest

from gateway.models import choose_agents
from gateway.settings import Settings

SERVER = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("settings", "name", "steer"),
    [
        (Settings(), "offline", "prefill"),
        (Settings(base_url=SERVER, model="m"), "openai_chat m", "instruction"),
        (Settings(agent="openai_chat", base_url=SERVER, model="m", steer="prefill"), "openai_chat m", "prefill"),
        (Settings(agent="openai_responses", base_url=SERVER), "openai_responses gpt-4o-mini", "instruction"),
        (
            Settings(agent="openai_responses", base_url=SERVER, model="m", steer="native"),
            "openai_responses m",
            "native",
        ),
        (Settings(agent="openai_chat", base_url=SERVER, model="m", steer="native"), "openai_chat m", "instruction"),
        (Settings(agent="examples.agents.echo:reply"), "callable examples.agents.echo:reply", "instruction"),
    ],
)
def test_the_settings_name_the_agent(settings: Settings, name: str, steer: str) -> None:
    agent = choose_agents(settings).default
    assert (agent.name.partition(" (")[0], agent.steer) == (name, steer)
    asyncio.run(agent.aclose())
