"""19. After a barge-in only the words that were heard stay in the model's context."""

import base64
from pathlib import Path

import numpy as np

from gateway.agents.scripted import ScriptedAgent
from media.frames import VOICE_RATE_HZ
from tests.acceptance.steering import engines, served
from tests.transports.server import Gateway, Socket

STORY = " ".join(f"word{number}" for number in range(60))


async def speak(socket: Socket, ms: int, *, loud: bool) -> None:
    """A voice, or silence, as fast as it can be sent."""
    tone = 8000 * np.sin(2 * np.pi * 500 * np.arange(VOICE_RATE_HZ // 50) / VOICE_RATE_HZ)
    audio = base64.b64encode((tone * loud).astype("<i2").tobytes()).decode()
    for _ in range(ms // 20):
        await socket.send("input_audio_buffer.append", audio=audio)


async def interrupted(socket: Socket) -> tuple[str, str]:
    """Heard and unheard words of the answer, over which somebody spoke."""
    await socket.send("session.update", session={"output_modalities": ["audio"]})
    await socket.ask("a story")
    await socket.get("response.output_audio.delta", 30)
    await speak(socket, 1200, loud=True)
    await speak(socket, 1200, loud=False)
    truncated = await socket.get("conversation.item.truncated")
    return truncated["heard_text"], truncated["unheard_text"]


def test_the_next_answer_knows_what_was_heard_and_that_it_was_interrupted(tmp_path: Path) -> None:
    agent = ScriptedAgent(STORY, "Letters.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            heard, unheard = await interrupted(socket)
            assert heard + unheard == STORY
            assert 0 < len(heard) < len(STORY)
            await socket.get("response.done", 2)
            answer = agent.asked[1].messages[1]
            assert (answer.text, answer.unheard, answer.interrupted) == (heard, unheard, True)
            assert agent.asked[1].messages[2].text == "Letters, please."
            assert agent.asked[1].steered is None

    served(tmp_path, story, agent, engines("Letters, please.", "Letters, please."))


def test_a_voice_that_steers_is_gone_on_with_from_what_was_heard(tmp_path: Path) -> None:
    agent = ScriptedAgent(STORY, "and a fox.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.send("session.update", session={"bargein": {"on_active": {"voice": "steer"}}})
            heard, _ = await interrupted(socket)
            await socket.get("response.done", 2)
            steered = agent.asked[1].steered
            assert steered is not None
            assert (steered.since, steered.partial) == (1, heard.strip())

    served(tmp_path, story, agent, engines("A fox, please.", "A fox, please."))
