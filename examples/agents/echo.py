"""An agent of your own, in a few lines: it says back what it heard, and notices that it was interrupted.

From the repository's root its name is ``examples.agents.echo:reply``.
"""

import asyncio
from collections.abc import AsyncIterator

from gateway.runtime.ports import Conversation


async def reply(conversation: Conversation) -> AsyncIterator[str]:
    """Yield the answer piece by piece. An interruption cancels it at the next ``await`` or ``yield``.

    ``conversation.messages`` holds what was really heard: the text of an interrupted answer ends at
    the last word that was played; the words after it are in ``unheard``.
    """
    *earlier, last = conversation.messages or (None,)
    if last is None:
        yield "Hello. Say something, and I will say it back."
        return
    if earlier and earlier[-1].interrupted:
        yield f"You stopped me after {len(earlier[-1].text.split())} words. "
    yield "You said: "
    for word in last.text.split():
        yield f"{word} "
        await asyncio.sleep(0.05)
