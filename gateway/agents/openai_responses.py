"""OpenAI's Responses API over HTTP, or any server that speaks it. Nothing is kept there: each request is whole."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import httpx2
import openai

from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.responses_events import Reading, progress
from gateway.agents.responses_request import Body, request
from gateway.agents.upstream import Upstream
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Message, Piece, SteerMode


class OpenAIResponses:
    """A model that answers in responses. Cancelling the task that iterates a reply closes its connection."""

    speaks = hears = False

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
        client, body = self._upstream.client, self._body(conversation)
        reading = Reading(conversation.response_id)
        async with aclosing(self._upstream.stream(lambda: self._open(client, body), progress)) as events:
            async for event in events:
                for piece in reading.feed(event):
                    yield piece
        if not reading.ending:
            raise AgentError("model_failed", f"{self._upstream.server} did not answer with a stream of responses.")

    async def warm_up(self) -> None:
        """Pay now what the first request costs (lazy imports). Touches no network."""
        transport = httpx2.MockTransport(_stand_in)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = self._upstream.client.with_options(http_client=http)
            async with await self._open(client, self._body(_WARM_UP)) as stream:
                async for event in stream:
                    progress(event)

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._upstream.aclose()

    def _body(self, conversation: Conversation) -> Body:
        return request(conversation, self._upstream.model, self._reasoning_effort)

    async def _open(self, client: openai.AsyncOpenAI, body: Body) -> openai.AsyncStream[object]:
        # Not `responses.create`: making one of sixty classes of each event takes it 160 us, plain JSON takes 35.
        return await client.post(
            "/responses",
            body={**body, "stream": True},
            cast_to=object,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )


_WARM_UP: Final = Conversation("", "", "", (Message("user", "Hello"),))
_STAND_IN_STREAM: Final = (
    b'data: {"type":"response.output_text.delta","delta":"Hello"}\n\n'
    b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n'
)


def _stand_in(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_STAND_IN_STREAM)
