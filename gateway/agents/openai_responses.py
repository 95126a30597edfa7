"""OpenAI's Responses API over HTTP, or any server that speaks it. Nothing is kept there: each request is whole."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import openai

from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.responses_events import Reading, progress
from gateway.agents.responses_request import Body, request
from gateway.agents.upstream import Upstream
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Piece, SteerMode


class OpenAIResponses:
    """A model that answers in responses. Cancelling the task that iterates a reply closes its connection."""

    def __init__(
        self,
        model: str,
        api_key: str | None = None,
        base_url: str | None = None,
        reasoning_effort: str | None = None,
        *,
        patience: Patience = PATIENCE,
    ) -> None:
        """Key and address as in :class:`~gateway.agents.upstream.Upstream`.

        *reasoning_effort* is sent as it is, and summaries of the thoughts are asked for with it; None for a model that
        does not reason. Raises :class:`SettingsError`.
        """
        self.name = f"openai_responses {model}"
        self.steer: SteerMode = "instruction"
        self._upstream = Upstream(model, api_key, base_url, patience)
        self._reasoning_effort = reasoning_effort

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Yield the answer as the model streams it. Raises :class:`AgentError`.

        The connection is closed when the iterating task is cancelled or the iterator is closed. Code
        that may leave the loop early otherwise wraps it in ``contextlib.aclosing``.
        """
        body = self._body(conversation)
        reading = Reading(conversation.response_id)
        async with aclosing(self._upstream.stream(lambda: self._open(body), progress)) as events:
            async for event in events:
                for piece in reading.feed(event):
                    yield piece
        if not reading.ending:
            raise AgentError("model_failed", f"{self._upstream.server} did not answer with a stream of responses.")

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._upstream.aclose()

    def _body(self, conversation: Conversation) -> Body:
        return request(conversation, self._upstream.model, self._reasoning_effort)

    async def _open(self, body: Body) -> openai.AsyncStream[object]:
        # Not `responses.create`: making one of sixty classes of each event takes it 160 us, plain JSON takes 35.
        return await self._upstream.client.post(
            "/responses",
            body={**body, "stream": True},
            cast_to=object,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
