"""How long and how large an answer may become, whoever gives it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gateway.errors import AgentError
from gateway.runtime.closing import closing
from gateway.runtime.ports import Ended, Piece, Reasoning, ToolCall


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one answer."""

    seconds: float = 600.0
    """From the question to the last piece. It is not how long the answer sounds, which is far longer."""

    characters: int = 100_000
    """Of its text, its reasoning and its calls together: two hours of speech. A device's outbox holds several such
    answers, and a frame one of them."""


async def bounded(answer: AsyncGenerator[Piece, None], bounds: Bounds) -> AsyncGenerator[Piece, None]:
    """*answer*, as far as it stays within *bounds*; there it ends as one whose model has used up its tokens.

    Raises :class:`AgentError` where nothing came in time, or what cannot be cut is too long.
    """
    deadline = asyncio.get_running_loop().time() + bounds.seconds
    left = bounds.characters
    async with closing(answer):
        while True:
            limit = asyncio.timeout_at(deadline)
            try:
                async with limit:
                    piece = await anext(answer, None)
            except TimeoutError:
                if not limit.expired():
                    raise
                if left == bounds.characters:
                    raise AgentError("model_timeout", f"No answer came within {bounds.seconds:g} s.") from None
                break
            if piece is None:
                return
            size = _size(piece)
            if size > left:
                if isinstance(piece, ToolCall):
                    raise AgentError("model_failed", "The model's call of a tool has become too long.")
                if isinstance(piece, str) and left:
                    yield piece[:left]
                break
            yield piece
            left -= size
    yield Ended("max_output_tokens")


def _size(piece: Piece) -> int:
    match piece:
        case str():
            return len(piece)
        case Reasoning(text):
            return len(text)
        case ToolCall():
            return len(piece.arguments)
        case _:
            return 0
