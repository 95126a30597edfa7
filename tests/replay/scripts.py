"""Stories for the tests of a replay, told in the words of the wire."""

from typing import Any

from gateway.replay.steps import parse
from gateway.replay.story import Played, Story

SETTLE_MS = 1500.0


class Script:
    """A story under way. Times are milliseconds since the replay began."""

    def __init__(self, *, ready_ms: float | None = 100.0) -> None:
        self.story = Story()
        if ready_ms is not None:
            self.story.ready(ready_ms)

    def tell(self, t_ms: float, kind: str, **fields: Any) -> None:
        self.story.see(t_ms, {"type": kind, **fields})

    def play(self, step: str, began_ms: float, ended_ms: float | None, onset_ms: float | None = None) -> None:
        onset_ms = began_ms if onset_ms is None else onset_ms
        self.story.played.append(Played(parse(step), began_ms, onset_ms, ended_ms))

    def sound(self, from_ms: float, to_ms: float, peak: int = 8000) -> None:
        """The answer is heard in packets of 20 ms from *from_ms* on, the last one before *to_ms*."""
        at = from_ms
        while at < to_ms:
            self.story.hear(at, peak)
            at += 20

    def turn(self, t_ms: float, item_id: str, text: str = "hello") -> None:
        """The caller is heard out at *t_ms*, and understood 200 ms later."""
        self.tell(t_ms - 500, "input_audio_buffer.speech_started", item_id=item_id)
        self.tell(t_ms, "input_audio_buffer.speech_stopped", item_id=item_id)
        self.tell(t_ms, "input_audio_buffer.committed", item_id=item_id)
        self.transcript(t_ms + 200, item_id, text)

    def transcript(self, t_ms: float, item_id: str, text: str) -> None:
        kind = "conversation.item.input_audio_transcription.completed"
        self.tell(t_ms, kind, item_id=item_id, transcript=text)

    def create(self, t_ms: float, name: str, *, modality: str = "audio", **more: Any) -> None:
        response = {"id": f"resp_{name}", "status": "in_progress", "output_modalities": [modality], **more}
        self.tell(t_ms, "response.created", response=response)
        item = {"id": f"item_{name}"}
        self.tell(t_ms, "response.output_item.added", response_id=f"resp_{name}", item=item)

    def text(self, t_ms: float, name: str, text: str) -> None:
        kind = "response.output_audio_transcript.delta"
        self.tell(t_ms, kind, response_id=f"resp_{name}", item_id=f"item_{name}", delta=text)

    def done(self, t_ms: float, name: str, status: str = "completed", **details: Any) -> None:
        self.tell(
            t_ms, "response.done", response={"id": f"resp_{name}", "status": status, "status_details": details or None}
        )

    def buffer(self, t_ms: float, name: str, what: str) -> None:
        self.tell(t_ms, f"output_audio_buffer.{what}", response_id=f"resp_{name}")

    def truncate(self, t_ms: float, name: str, heard: str, unheard: str) -> None:
        kind = "conversation.item.truncated"
        self.tell(t_ms, kind, item_id=f"item_{name}", heard_text=heard, unheard_text=unheard, audio_end_ms=1)


def barge_in() -> Script:
    """The scenario of the README: a question, its answer, an interruption at 5 s, another answer."""
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.turn(2800, "item_u1", "tell me a long story")
    script.create(3000, "a")
    script.text(3010, "a", "Once upon a time there was a fox.")
    script.done(3200, "a")
    script.buffer(3400, "a", "started")
    script.sound(3405, 5060)
    script.play("no.wav@speaking+1500", 5000, 7400)
    script.tell(5060, "input_audio_buffer.speech_suspected", audio_start_ms=1)
    script.buffer(5061, "a", "paused")
    script.tell(5150, "input_audio_buffer.speech_confirmed")
    script.tell(5700, "input_audio_buffer.speech_started", item_id="item_u2")
    script.buffer(5700, "a", "cleared")
    script.truncate(5701, "a", "Once upon a", " time there was a fox.")
    script.tell(7900, "input_audio_buffer.speech_stopped", item_id="item_u2")
    script.tell(7900, "input_audio_buffer.committed", item_id="item_u2")
    script.transcript(8100, "item_u2", "no something else")
    script.create(8110, "b")
    script.text(8120, "b", "All right.")
    script.done(8130, "b")
    script.buffer(8300, "b", "started")
    script.sound(8305, 9000)
    script.buffer(9060, "b", "stopped")
    return script
