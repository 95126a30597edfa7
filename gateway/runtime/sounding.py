"""Answers that carry their own sound, between the agent that yields it and the voice leg that plays it.

The sound of an answer is kept as long as the answer lives: another leg may have to go on with it, and so may another
answer, if what cut this one turns out to be nothing. It is never stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from gateway.core import effects as fx, state
from gateway.core.ids import Generation, ItemId
from gateway.errors import AgentError
from gateway.runtime.ports import Message, VoicePort

BYTES_A_MS: Final = 48

MAX_SOUND_MS: Final = 600_000
"""Of one answer, 29 MB: who speaks for longer without a pause for a word does not come to an end."""

STEP_BACK_MS: Final = 300
"""What was cut goes on so much before the cut: about a word, for the one that was broken."""


@dataclass(slots=True)
class _Answer:
    """The sound of one answer."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    silenced_ms: int = 0
    """Where in it its loudspeaker was silenced."""

    whole: bool = True
    voice: VoicePort | None = None
    """Who plays it; None while nobody does."""

    def since(self, ms: int) -> Iterator[bytes]:
        """Its sound from there on, as far as it has come."""
        skipped = ms * BYTES_A_MS
        for piece in self.pieces:
            if skipped < len(piece):
                yield piece[skipped:]
            skipped = max(0, skipped - len(piece))


class Sounding:
    """The answers of one session that have their own sound, by generation."""

    def __init__(self) -> None:
        self._answers: dict[Generation, _Answer] = {}

    def expect(self, generation: Generation) -> None:
        """This answer will carry its own sound."""
        self._answers[generation] = _Answer()

    def take(self, generation: Generation, pcm: bytes) -> bool:
        """More sound of an answer; True for the first. Raises :class:`AgentError` for more than anybody would hear."""
        answer = self._answers.get(generation)
        if answer is None or len(pcm) < 2:
            return False
        if answer.size > MAX_SOUND_MS * BYTES_A_MS:
            minutes = MAX_SOUND_MS // 60_000
            raise AgentError("model_failed", f"The model did not come to an end within {minutes} minutes of speech.")
        pcm = pcm[: len(pcm) & ~1]
        answer.pieces.append(pcm)
        answer.size += len(pcm)
        if answer.voice is not None:
            answer.voice.sound(generation, pcm)
        return len(answer.pieces) == 1

    def go_on(self, generation: Generation, rest_of: Generation) -> None:
        """An answer is the rest of another one that was silenced, in its own voice if that had any."""
        cut = self._answers.get(rest_of)
        if cut is not None and cut.pieces:
            pieces = list(cut.since(max(0, cut.silenced_ms - STEP_BACK_MS)))
            self._answers[generation] = _Answer(pieces, sum(map(len, pieces)), whole=cut.whole)

    def broke_off(self, generation: Generation) -> bool:
        """The model failed: the sound may end before the text does. False where none came: others may speak then."""
        answer = self._answers.get(generation)
        if answer is None or not answer.pieces:
            self._answers.pop(generation, None)
            return False
        answer.whole = False
        return True

    def silenced(self, generation: Generation, heard_ms: int) -> None:
        """Its loudspeaker was cut there."""
        if generation in self._answers:
            self._answers[generation].silenced_ms = heard_ms

    def begin(self, voice: VoicePort, effect: fx.BeginSpeech) -> None:
        """*voice* is to speak an answer from now on, from what was heard of it on."""
        generation, answer = effect.generation, self._answers.get(effect.generation)
        reached = (effect.heard_chars, effect.heard_ms)
        voice.begin(generation, effect.response_id, effect.item_id, *reached, own_sound=answer is not None)
        if answer is not None:
            answer.voice = voice
            for pcm in answer.since(effect.heard_ms):
                voice.sound(generation, pcm)

    def finish(self, voice: VoicePort, generation: Generation) -> None:
        """No more of that answer comes."""
        answer = self._answers.get(generation)
        voice.finish(generation, whole=answer is None or answer.whole)

    def forget_others(self, now: state.State) -> None:
        """Keep the sound of those alone that live, or may yet go on."""
        if not self._answers:
            return
        kept = {response.generation for response in now.conversation.responses.values()}
        rests = now.moment.unheard, now.moment.pending.rest if now.moment.pending is not None else None
        kept |= {rest.generation for rest in rests if rest is not None}
        self._answers = {it: answer for it, answer in self._answers.items() if it in kept}


def sounds(messages: Sequence[Message], voices: Iterable[VoicePort]) -> Mapping[str, bytes]:
    """The sound of what the user has said since the last answer, as far as it is at hand."""
    legs = list(voices)
    asked = list(takewhile(lambda it: it.role == "user", reversed(messages)))
    found = ((it.item_id, voice.sound_of(ItemId(it.item_id))) for it in asked if it.spoken for voice in legs)
    return {item_id: pcm for item_id, pcm in found if pcm is not None}
