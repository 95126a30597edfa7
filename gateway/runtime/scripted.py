"""A voice leg without sound, for tests: it remembers what it was asked, and says where its playout stood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.inputs import PlayoutCleared


@dataclass(frozen=True, slots=True)
class Begun:
    generation: Generation
    response_id: ResponseId
    item_id: ItemId
    heard_chars: int = 0
    heard_ms: int = 0
    own_sound: bool = False


@dataclass(frozen=True, slots=True)
class Sounded:
    generation: Generation
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Spoken:
    generation: Generation
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    generation: Generation
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Flushed:
    generation: Generation


@dataclass(frozen=True, slots=True)
class HandedOver:
    generation: Generation
    finish_ms: int


@dataclass(frozen=True, slots=True)
class Released:
    pass


@dataclass(frozen=True, slots=True)
class Paused:
    pass


@dataclass(frozen=True, slots=True)
class Resumed:
    pass


@dataclass(frozen=True, slots=True)
class Dropped:
    pass


@dataclass(frozen=True, slots=True)
class AskedToJudge:
    pass


@dataclass(frozen=True, slots=True)
class AskedForWords:
    item_id: ItemId


OfTheMouth: TypeAlias = Begun | Spoken | Sounded | Finished | Flushed | HandedOver | Released | Paused | Resumed
Call: TypeAlias = OfTheMouth | Dropped | AskedToJudge | AskedForWords


class ScriptedVoice:
    """Implements :class:`gateway.runtime.ports.VoicePort`.

    *on_call* is told of each call as it happens, to see it between other things. What the ears hear
    and how the playout moves is posted by whoever writes the script.
    """

    def __init__(self, on_call: Callable[[Call], object] = lambda _: None) -> None:
        self._on_call = on_call
        self._here: set[Generation] = set()
        self._played: dict[Generation, tuple[int, int]] = {}
        self.turns: dict[ItemId, bytes] = {}
        """The sound of turns that is at hand."""

        self.calls: list[Call] = []

    def play(self, generation: Generation, chars: int, ms: int) -> None:
        """From now on this much of an answer has been heard."""
        self._played[generation] = (chars, ms)

    def spoken(self, generation: Generation) -> str:
        """All the text it was given of an answer."""
        return "".join(call.text for call in self.calls if isinstance(call, Spoken) and call.generation == generation)

    def begin(
        self,
        generation: Generation,
        response_id: ResponseId,
        item_id: ItemId,
        heard_chars: int = 0,
        heard_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> None:
        self._here.add(generation)
        self._note(Begun(generation, response_id, item_id, heard_chars, heard_ms, own_sound))

    def speak(self, generation: Generation, text: str) -> None:
        self._note(Spoken(generation, text))

    def finish(self, generation: Generation, *, whole: bool = True) -> None:
        self._note(Finished(generation, whole))

    def sound(self, generation: Generation, pcm: bytes) -> None:
        self._note(Sounded(generation, pcm))

    def flush(self, generation: Generation) -> PlayoutCleared | None:
        self._note(Flushed(generation))
        if generation not in self._here:
            return None
        self._here.discard(generation)
        chars, ms = self._played.get(generation, (0, 0))
        return PlayoutCleared(generation, chars, ms, started=generation in self._played)

    def hand_over(self, generation: Generation, finish_ms: int) -> None:
        """It lets go when the script says so."""
        self._here.discard(generation)
        self._note(HandedOver(generation, finish_ms))

    def release(self) -> None:
        self._note(Released())

    def pause(self) -> None:
        self._note(Paused())

    def resume(self) -> None:
        self._note(Resumed())

    def drop_utterance(self) -> None:
        self._note(Dropped())

    def judge(self) -> None:
        self._note(AskedToJudge())

    def transcribe(self, item_id: ItemId) -> None:
        self._note(AskedForWords(item_id))

    def sound_of(self, item_id: ItemId) -> bytes | None:
        return self.turns.get(item_id)

    def _note(self, call: Call) -> None:
        self.calls.append(call)
        self._on_call(call)
