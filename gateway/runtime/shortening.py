"""Keeps what models are given within a session's policy: after an answer, so that nobody waits for it."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.core import inputs as inp
from gateway.core.ids import SessionId
from gateway.core.state import Conversation as State
from gateway.core.tree import Node
from gateway.runtime import context
from gateway.runtime.bounds import Bounds, bounded
from gateway.runtime.ports import Agent, Conversation, Message, Store

FULL: Final = 0.75
"""Of the policy's bound: from there on a summary is worth its while."""

KEPT: Final = 0.25
"""Of the bound, the newest part, which stays as it was said."""

SUMMARY: Final = Bounds(seconds=120.0, characters=8000)
"""Nobody waits for it, but a session that is summing up is not let go of."""

SUMMARISE: Final = (
    "Sum up the conversation below for whoever goes on with it: what the user wants, told of themselves and was told, "
    "names and numbers, and what is still open. Keep to what was said. Answer with the summary alone."
)


class Shortener:
    """One session's."""

    def __init__(self, session: SessionId, store: Store, submit: Callable[[inp.Input], Awaitable[None]]) -> None:
        self._session = session
        self._store = store
        self._submit = submit

    async def consider(self, state: State, agent: Agent) -> None:
        """Shorten the context if it has outgrown its policy. Raises what the agent and the store raise."""
        policy = state.settings.context
        if policy.policy not in ("summarise", "reset"):
            return
        path = [node for node in state.tree.path() if node.status != "in_progress"]
        begin = context.begins_after(state, path)
        nodes = path if begin is None else path[begin[0] + 1 :]
        summary = None if begin is None else begin[1]
        wanted = context.places(nodes) + ([] if summary is None else [summary])
        found = await self._store.contents(self._session, wanted)
        said = [(node, context.message(node, found)) for node in nodes if node.item_id in found]
        if sum(context.tokens(message) for _, message in said) <= FULL * policy.max_tokens:
            return
        if policy.policy == "reset":
            await self._submit(inp.ContextOutgrown(said[-1][0].item_id))
            return
        old = said[: _split([message for _, message in said], int(KEPT * policy.max_tokens))]
        before = found[summary].text if summary in found else ""
        if old and (text := await self._sum_up(agent, before, [message for _, message in old])):
            # A summary of a summary tells of what that one told: it is void when that would be.
            covered = [*(path[: begin[0] + 1] if begin is not None and before else []), *(node for node, _ in old)]
            covers = tuple((node.item_id, _version(node)) for node in covered if not node.redacted)
            await self._submit(inp.ContextOutgrown(old[-1][0].item_id, covers, text))

    async def _sum_up(self, agent: Agent, before: str, messages: list[Message]) -> str:
        lines = [f"(before: {before})"] if before else []
        lines += [f"{message.name or message.role}: {message.text}" for message in messages]
        asked = Conversation(self._session, "", SUMMARISE, (Message("user", "\n".join(lines)),), beside=True)
        async with contextlib.aclosing(bounded(agent.reply(asked), SUMMARY)) as answer:
            return "".join([piece async for piece in answer if isinstance(piece, str)]).strip()


def _split(messages: list[Message], kept: int) -> int:
    """How many of the oldest go, so that at most *kept* tokens stay; what stays begins with a user's message."""
    at = len(messages)
    while at and kept >= context.tokens(messages[at - 1]):
        at -= 1
        kept -= context.tokens(messages[at])
    while at < len(messages) and messages[at].role != "user":
        at += 1
    return at


def _version(node: Node) -> int:
    return 1 if node.version is None else node.version.number
