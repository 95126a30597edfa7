"""A whole call of a stock client: what its data channel carries, as its types want it and in the right order."""

from pathlib import Path

from tests.e2e.test_call import Caller, call, sounding
from tests.protocol.checking import check


def test_a_stock_call_with_barge_in(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        caller.send(type="session.update", session={"type": "realtime", "audio": {"output": {"voice": "marin"}}})
        await caller.event("session.updated")
        await sounding(caller)
        caller.speak(1500)
        await caller.event("response.created", 1)
        await caller.event("response.done", 1)
        await caller.event("output_audio_buffer.stopped")
        check(caller.events)
        types = [event["type"] for event in caller.events]
        cleared, truncated = types.index("output_audio_buffer.cleared"), types.index("conversation.item.truncated")
        assert types.index("input_audio_buffer.speech_started") < cleared < truncated
        first, second = (event["response_id"] for event in caller.seen("output_audio_buffer.started"))
        assert caller.seen("output_audio_buffer.cleared")[0]["response_id"] == first
        assert caller.seen("output_audio_buffer.stopped")[0]["response_id"] == second

    call(tmp_path, story, "what time is it", query="")


def test_a_stock_call_for_transcription(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        caller.send(type="session.update", session={"type": "transcription"})
        assert (await caller.event("session.updated"))["session"]["object"] == "realtime.transcription_session"
        caller.speak(700)
        said = await caller.event("conversation.item.input_audio_transcription.completed")
        assert said["transcript"] == "take a note"
        check(caller.events)
        assert not [event["type"] for event in caller.events if event["type"].startswith(("response.", "output_"))]

    call(tmp_path, story, "take a note", query="")
