"""What a session asks of the world. Imperatives.

*Stopping* effects silence, flush, cancel or drop; they are idempotent and run before anything is
written. *Starting* effects begin something and run after the facts that justify them are stored.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId
from gateway.core.values import Wish


@dataclass(frozen=True, slots=True)
class CancelGeneration:
    """Stop the model of this response, down to its network connection."""

    generation: Generation
    steers: bool = False
    """Another call goes on with the response: a model that can be steered itself may wait for what steers it."""


@dataclass(frozen=True, slots=True)
class FlushPlayout:
    """Silence this response on its leg; answered by :class:`gateway.core.inputs.PlayoutCleared`."""

    leg: LegId
    generation: Generation


@dataclass(frozen=True, slots=True)
class HandOverPlayout:
    """Let go of this response, which goes on elsewhere; answered by ``PlayoutHandedOver``, or its end."""

    leg: LegId
    generation: Generation
    finish_ms: int
    """A word that ends within so many ms is finished first."""

    moves: int = 0
    """How often the response had moved: what was begun of it by then must not begin any more."""


@dataclass(frozen=True, slots=True)
class DropUtterance:
    """Remove the current turn's sound from the leg's input: it was no turn."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class ReleasePlayout:
    """Let go of the reflex's pause."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Hold the leg's loudspeaker by button, which is another holder than the reflex."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """Let go of the button's pause, and of no other."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class Steering:
    """A message of the user by which an answer is steered."""

    text: str
    device: DeviceId


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask the model for an answer to the active path."""

    response_id: ResponseId
    generation: Generation
    wish: Wish = field(default_factory=Wish)
    """What is wanted of this one alone."""

    steers_on: ResponseId | None = None
    """The answer that it goes on with, from what was heard of it; None when it is an answer of its own."""

    steers: tuple[Steering, ...] = ()
    """Words that steer it, and stand in the conversation only once the model has begun."""


@dataclass(frozen=True, slots=True)
class Recite:
    """Give the text out as the answer, without a model."""

    response_id: ResponseId
    generation: Generation
    text: str
    rest_of: Generation
    """The answer that was cut before it: if that had its own sound, this is how that goes on."""


@dataclass(frozen=True, slots=True)
class BeginSpeech:
    """A response is about to be spoken on the leg."""

    leg: LegId
    generation: Generation
    response_id: ResponseId
    item_id: ItemId
    heard_chars: int = 0
    heard_ms: int = 0
    """What was heard of the item elsewhere: it goes on from there."""

    moves: int = 0
    """See :class:`HandOverPlayout`."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Speak more of a response's text."""

    leg: LegId
    generation: Generation
    text: str
    moves: int = 0


@dataclass(frozen=True, slots=True)
class FinishSpeech:
    """No more text of this response comes."""

    leg: LegId
    generation: Generation
    moves: int = 0


@dataclass(frozen=True, slots=True)
class JudgeUtterance:
    """Tell what the short utterance seems to say; answered by ``SpeechJudged``."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class TranscribeTurn:
    """Tell what the ended turn says; answered by ``TurnTranscribed`` or ``TurnTranscriptionFailed``."""

    leg: LegId
    item_id: ItemId


@dataclass(frozen=True, slots=True)
class ShortenContext:
    """Look whether the conversation has outgrown its policy; answered by ``ContextOutgrown``, if it has."""


StoppingEffect: TypeAlias = (
    CancelGeneration | FlushPlayout | HandOverPlayout | DropUtterance | ReleasePlayout | PausePlayout | ResumePlayout
)
StartingEffect: TypeAlias = (
    Generate | Recite | BeginSpeech | Speak | FinishSpeech | JudgeUtterance | TranscribeTurn | ShortenContext
)
