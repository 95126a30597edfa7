"""What the acceptance tests of steering share: a gateway over real sockets, and what clients were told."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.agents.scripted import Hold, Say
from gateway.runtime.ports import Agent
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.inbox import Json
from tests.transports.server import Gateway, Socket, serving

HELD = (Say("One two"), Hold(), Say(" three."))


def engines(*hears: str) -> Engines:
    """Speech is a tone, loud is voice, and these texts are recognised."""
    return Engines(ToneSynthesizer(), ScriptedRecognizer(*hears), LoudnessModel)


def served(
    folder: Path,
    story: Callable[[Gateway], Awaitable[None]],
    agent: Agent | None = None,
    voices: Engines | None = None,
) -> None:
    """Run *story* against a gateway."""

    async def main() -> None:
        async with asyncio.timeout(30), serving(folder, agent=agent, engines=voices) as gateway:
            await story(gateway)

    asyncio.run(main())


async def session_of(socket: Socket) -> str:
    """The query by which another device joins."""
    created = await socket.get("session.created")
    return f"session={created['session']['id']}"


async def echoed(socket: Socket) -> None:
    """Wait until the gateway has taken all that was sent before."""
    known = len(socket.all("session.updated"))
    await socket.send("session.update", session={})
    await socket.get("session.updated", known + 1)


def text_of(socket: Socket, response_id: str) -> str:
    """All text deltas of a response, as they came."""
    kinds = ("response.output_text.delta", "response.output_audio_transcript.delta")
    return "".join(it["delta"] for it in socket.got if it["type"] in kinds and it["response_id"] == response_id)


def receipts(socket: Socket) -> list[str]:
    """What became of steers, in order."""
    kind = "response.steer."
    return [name.removeprefix(kind) for name in socket.types() if name.startswith(kind)]


def statuses(socket: Socket) -> list[str]:
    """How each response ended."""
    return [str(done["response"]["status"]) for done in socket.all("response.done")]


def output(done: Json) -> list[tuple[str, str]]:
    """Role and words of each item of a response."""
    items = done["response"]["output"]
    return [(item["role"], item["content"][0].get("text") or item["content"][0].get("transcript")) for item in items]
