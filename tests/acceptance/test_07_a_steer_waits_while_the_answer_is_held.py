"""7. A steer waits while the answer is suspended (here: held by a button), and its receipt comes when it goes on."""

from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from tests.acceptance.steering import echoed, engines, receipts, served
from tests.transports.server import Gateway


def test_a_steer_stays_pending_while_the_answer_is_held(tmp_path: Path) -> None:
    agent = ScriptedAgent("one two three.", "Un.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.send("session.update", session={"output_modalities": ["audio"]})
            await socket.ask("go")
            await socket.get("output_audio_buffer.started")
            await socket.send("output_audio_buffer.pause", event_id="hold")
            await socket.get("output_audio_buffer.paused")
            await socket.send("response.steer", input="In French.", when="next_step")
            await socket.get("response.steer.pending")
            await echoed(socket)
            assert receipts(socket) == ["accepted", "pending"]
            assert len(agent.asked) == 1
            await socket.send("output_audio_buffer.resume")
            await socket.get("response.steer.consumed")
            assert receipts(socket) == ["accepted", "pending", "consumed"]
            assert socket.types().index("output_audio_buffer.stopped") < socket.types().index("response.steer.consumed")

    served(tmp_path, story, agent, engines())
