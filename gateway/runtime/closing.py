"""Ending an answer that somebody else's code yields."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.runtime.ports import Piece


@asynccontextmanager
async def closing(answer: AsyncGenerator[Piece, None]) -> AsyncIterator[AsyncGenerator[Piece, None]]:
    """Close *answer* at the end. It learns of a cancellation, and what that says, also where it waits for us."""
    try:
        yield answer
    except asyncio.CancelledError as error:
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await answer.athrow(error)
        raise
    finally:
        await answer.aclose()
