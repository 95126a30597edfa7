"""What an upstream has said of one utterance. Pure.

An utterance is committed in one part, or in several where its words were wanted before it ended. An upstream names
each part by an item id: in the ``committed`` event, or before it in the first delta of a model that streams.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from media.speech import SpeechError

_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."


@dataclass(slots=True)
class _Part:
    """A part of the utterance, committed or still being spoken."""

    item_id: str = ""
    words: str = ""
    committed: bool = False
    complete: bool = False


class Transcript:
    """The words of one utterance, part by part."""

    def __init__(self) -> None:
        self._parts = [_Part()]

    @property
    def text(self) -> str:
        """The words so far."""
        return " ".join(words for part in self._parts if (words := part.words.strip()))

    @property
    def complete(self) -> bool:
        """True when all words of what was committed are known."""
        return all(part.complete for part in self._parts if part.committed)

    def commit(self) -> None:
        """What was sent since the last commit is a part."""
        self._parts[-1].committed = True
        self._parts.append(_Part())

    def take(self, event: Mapping[str, Any]) -> None:
        """The upstream's next event; one that says nothing about words is nothing.

        Raises :class:`SpeechError` when it says that it failed.
        """
        match event:
            case {"type": "input_audio_buffer.committed", "item_id": str(item_id)}:
                self._part(item_id)
            case {"type": str(kind), "item_id": str(item_id)} if kind.startswith(_TRANSCRIPTION):
                self._transcribed(kind.removeprefix(_TRANSCRIPTION), item_id, event)
            case {"type": "error"}:
                raise SpeechError("engine_failed", "The speech server reported an error.")

    def _transcribed(self, kind: str, item_id: str, event: Mapping[str, Any]) -> None:
        if kind == "failed":
            raise SpeechError("engine_failed", "The speech server could not transcribe what it heard.")
        part = self._part(item_id)
        match kind, event:
            case "delta", {"delta": str(delta)} if part is not None and not part.complete:
                part.words += delta
            case "completed", {"transcript": str(words)} if part is not None and part.committed:
                part.words, part.complete = words, True

    def _part(self, item_id: str) -> _Part | None:
        """The part of that name; the first one without a name gets it. None when there is none."""
        named = next((part for part in self._parts if part.item_id == item_id), None)
        if named is None and (named := next((part for part in self._parts if not part.item_id), None)) is not None:
            named.item_id = item_id
        return named
