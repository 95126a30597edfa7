"""What a replay has seen so far, and what is still going on. Pure: every time is given, in ms since the replay began.

An answer has two lives, as in the protocol: its generation ends in ``response.done``, its sound in
``output_audio_buffer.stopped`` or ``.cleared``, usually later. A user's turn is going on from the first suspicion
until its transcript has come, or until it was dismissed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from gateway.replay.sound import AUDIBLE
from gateway.replay.steps import Step

Event: TypeAlias = Mapping[str, Any]
"""A server event as it came, decoded from JSON."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A server event and when it came."""

    t_ms: float
    event: Event

    @property
    def type(self) -> str:
        return text_at(self.event, "type")


@dataclass(slots=True)
class Played:
    """A step that has begun to play."""

    step: Step
    began_ms: float
    onset_ms: float | None = None
    """When the frame with its first voice was handed over; None before, and for a step with no voice in it."""

    ended_ms: float | None = None
    """When its last frame had been played; None before."""


def text_at(event: Event, *path: str) -> str:
    """The string at *path*, ``""`` when there is none: events come from outside and may lack anything."""
    value: object = event
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


@dataclass(slots=True)
class Answer:
    """One response, from the events about it."""

    response_id: str
    created_ms: float
    item_id: str = ""
    spoken: bool = False
    text: str = ""
    """All of its text so far, heard or not."""

    done_ms: float | None = None
    status: str = "in_progress"
    reason: str = ""
    continues: str = ""
    started_ms: float | None = None
    ended_ms: float | None = None
    """End of its sound."""

    cleared: bool = False
    heard: str | None = None
    """What was heard of an answer that was cut or removed; None when it was neither."""

    @property
    def ended(self) -> bool:
        """Generation and sound are over, or there will be no sound."""
        if self.done_ms is None:
            return False
        expected = self.spoken and self.status == "completed" and self.text != "" and self.heard is None
        return self.ended_ms is not None or (self.started_ms is None and not expected)

    @property
    def came_to_its_end(self) -> bool:
        """It ended by itself, for better or worse: nobody cut it."""
        return self.ended and self.status != "cancelled" and not self.cleared and self.heard is None

    def alive_at(self, t_ms: float) -> bool:
        """Whether it was being made or was sounding at *t_ms*, as far as is known now."""
        over = max((t for t in (self.done_ms, self.ended_ms) if t is not None), default=None)
        return self.created_ms <= t_ms and (not self.ended or over is None or t_ms < over)

    def sounding_at(self, t_ms: float) -> bool:
        """Whether its sound had begun at *t_ms* and not ended."""
        return self.started_ms is not None and self.started_ms <= t_ms < (self.ended_ms or float("inf"))


_HEARING: Final = frozenset(
    {
        "input_audio_buffer.speech_suspected",
        "input_audio_buffer.speech_confirmed",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
    }
)
_HEARD_OUT: Final = frozenset(
    {"input_audio_buffer.speech_dismissed", "input_audio_buffer.committed", "input_audio_buffer.cleared"}
)
_TRANSCRIBED: Final = frozenset(
    {
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.deleted",
    }
)


@dataclass(slots=True)
class Story:
    """Everything so far, in the order it happened."""

    seen: list[Seen] = field(default_factory=list)
    audible_ms: list[float] = field(default_factory=list)
    """When each audible 20 ms of the answer were heard, ascending."""

    played: list[Played] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    ready_ms: float | None = None
    """When the session could be spoken to; None before."""

    changed_ms: float = 0.0
    """When something last happened."""

    hearing: bool = False
    transcribing: set[str] = field(default_factory=set)

    def ready(self, t_ms: float) -> None:
        """The line is up and the session answers."""
        self.ready_ms = self.changed_ms = t_ms

    def hear(self, t_ms: float, peak: int) -> None:
        """20 ms of the answer were heard, with this *peak*."""
        if peak > AUDIBLE:
            self.audible_ms.append(t_ms)
            self.changed_ms = t_ms

    def see(self, t_ms: float, event: Event) -> None:
        """A server event came. Unknown and malformed ones are kept and mean nothing."""
        self.seen.append(Seen(t_ms, event))
        self.changed_ms = t_ms
        kind = text_at(event, "type")
        self._listen(kind, text_at(event, "item_id"))
        if kind == "response.created":
            self._created(t_ms, event)
        elif kind.startswith(("response.", "output_audio_buffer.")):
            answer = self.answers.get(text_at(event, "response_id") or text_at(event, "response", "id"))
            if answer is not None:
                _follow(answer, kind, t_ms, event)
        elif kind.startswith("conversation.item."):
            for answer in self.answers.values():
                if answer.item_id == text_at(event, "item_id") != "":
                    _rewrite(answer, kind, event)

    @property
    def listening(self) -> bool:
        """A turn of the caller is going on."""
        return self.hearing or bool(self.transcribing)

    def pending(self) -> str | None:
        """What is going on, in words a person would wait for; None when nothing is."""
        if self.hearing:
            return "the gateway to hear the caller out"
        if self.transcribing:
            return "a transcript"
        answer = next((answer for answer in self.answers.values() if not answer.ended), None)
        if answer is None:
            return None
        if answer.done_ms is None:
            return f"{answer.response_id} to be done"
        return f"the sound of {answer.response_id} to {'begin' if answer.started_ms is None else 'end'}"

    def _listen(self, kind: str, item_id: str) -> None:
        if kind in _HEARING:
            self.hearing = True
        elif kind in _HEARD_OUT:
            self.hearing = False
        if kind == "input_audio_buffer.committed":
            self.transcribing.add(item_id)
        elif kind in _TRANSCRIBED:
            self.transcribing.discard(item_id)

    def _created(self, t_ms: float, event: Event) -> None:
        response_id = text_at(event, "response", "id")
        response = event.get("response")
        modalities = response.get("output_modalities") if isinstance(response, Mapping) else None
        self.answers[response_id] = Answer(
            response_id,
            t_ms,
            spoken=isinstance(modalities, list) and "audio" in modalities,
            continues=text_at(event, "response", "continues"),
        )


def _follow(answer: Answer, kind: str, t_ms: float, event: Event) -> None:
    match kind:
        case "response.output_item.added":
            answer.item_id = text_at(event, "item", "id")
        case "response.output_audio_transcript.delta" | "response.output_text.delta":
            answer.text += text_at(event, "delta")
        case "response.output_audio_transcript.done":
            answer.text = text_at(event, "transcript")
        case "response.output_text.done":
            answer.text = text_at(event, "text")
        case "response.done":
            details = ("response", "status_details")
            answer.done_ms = t_ms
            answer.status = text_at(event, "response", "status")
            answer.reason = text_at(event, *details, "reason") or text_at(event, *details, "error", "code")
        case "output_audio_buffer.started":
            answer.started_ms = t_ms
        case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
            answer.ended_ms, answer.cleared = t_ms, kind.endswith("cleared")


def _rewrite(answer: Answer, kind: str, event: Event) -> None:
    match kind:
        case "conversation.item.truncated" if "heard_text" in event:
            answer.heard = text_at(event, "heard_text")
            answer.text = answer.heard + text_at(event, "unheard_text")
        case "conversation.item.deleted":
            answer.heard = ""
