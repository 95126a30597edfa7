"""OpenAI's chat completions, or any server that speaks them. Needs the network, but for :meth:`OpenAIChat.warm_up`."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import httpx2
import openai
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionContentPartParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
    ChatCompletionToolChoiceOptionParam,
)
from openai.types.shared_params import FunctionDefinition

from gateway.agents.chat_stream import SHORTFALLS, Reading, progress
from gateway.agents.context import ChatMessage, chat_messages
from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.silence import silent
from gateway.agents.upstream import Upstream
from gateway.core.values import Tool
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Message, Piece, SteerMode


class OpenAIChat:
    """A chat model. Cancelling the task that iterates a reply closes its connection, which stops the model."""

    speaks = hears = False

    def __init__(
        self,
        model: str,
        api_key: str | None = None,
        base_url: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        *,
        steer: SteerMode = "instruction",
        patience: Patience = PATIENCE,
    ) -> None:
        """Without *api_key* and *base_url* the environment is asked (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``).

        *steer* is ``prefill`` for a server that goes on with a last message of the assistant's, as many that serve open
        models do; OpenAI's begins another. The key in the environment is never sent to an explicit *base_url*. Raises
        :class:`SettingsError` when there is no key, or *base_url* is no http(s) address.
        """
        self.name = f"openai_chat {model}"
        self.steer: SteerMode = steer
        self._upstream = Upstream(model, api_key, base_url, patience)
        self._temperature = openai.omit if temperature is None else temperature
        self._limit = max_tokens

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Yield the answer as the model streams it. Raises :class:`AgentError`.

        The connection is closed when the iterating task is cancelled or the iterator is closed. Code
        that may leave the loop early otherwise wraps it in ``contextlib.aclosing``.
        """
        client, reading = self._upstream.client, Reading(conversation.response_id)
        async with aclosing(self._upstream.stream(lambda: self._open(client, conversation), progress)) as chunks:
            async for chunk in chunks:
                for piece in reading.take(chunk):
                    yield piece
        if not reading.ending:
            raise AgentError("model_failed", "The model server did not answer with a stream of chat completions.")
        if not reading.said_anything:
            raise silent(SHORTFALLS.get(reading.ending))
        for piece in reading.end():
            yield piece

    async def warm_up(self) -> None:
        """Pay now what the first request costs (lazy imports). Touches no network."""
        transport = httpx2.MockTransport(_stand_in)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = self._upstream.client.with_options(http_client=http)
            async with await self._open(client, _WARM_UP) as stream:
                reading = Reading("")
                async for chunk in stream:
                    list(reading.take(chunk))

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._upstream.aclose()

    async def _open(
        self, client: openai.AsyncOpenAI, conversation: Conversation
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        asked = conversation.max_output_tokens
        limit = self._limit if asked is None else min(asked, self._limit or asked)
        # OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.
        at_openai = self._upstream.at_openai
        return await client.chat.completions.create(
            model=self._upstream.model,
            messages=[_param(message) for message in chat_messages(conversation)],
            stream=True,
            stream_options={"include_usage": True},
            temperature=self._temperature,
            max_tokens=openai.omit if limit is None or at_openai else limit,
            max_completion_tokens=limit if limit is not None and at_openai else openai.omit,
            tools=[_tool(tool) for tool in conversation.tools] or openai.omit,
            tool_choice=_choice(conversation) if conversation.tools else openai.omit,
        )


def _param(message: ChatMessage) -> ChatCompletionMessageParam:
    match message.role:
        case "user" if message.images:
            text: list[ChatCompletionContentPartParam] = [{"type": "text", "text": message.content}]
            return {"role": "user", "content": [*(text if message.content else []), *map(_image, message.images)]}
        case "user":
            return {"role": "user", "content": message.content}
        case "assistant" if message.calls:
            return {"role": "assistant", "content": message.content or None, "tool_calls": [*map(_call, message.calls)]}
        case "assistant":
            return {"role": "assistant", "content": message.content}
        case "tool":
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
        case "system":
            return {"role": "system", "content": message.content}


def _image(address: str) -> ChatCompletionContentPartParam:
    return {"type": "image_url", "image_url": {"url": address}}


def _call(call: Message) -> ChatCompletionMessageFunctionToolCallParam:
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.text}}


def _tool(tool: Tool) -> ChatCompletionFunctionToolParam:
    function: FunctionDefinition = {"name": tool.name, "parameters": json.loads(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _choice(conversation: Conversation) -> ChatCompletionToolChoiceOptionParam:
    if conversation.forced_tool:
        return {"type": "function", "function": {"name": conversation.forced_tool}}
    return conversation.tool_choice


_WARM_UP: Final = Conversation("", "", "", (Message("user", "Hello"),))
_STAND_IN_STREAM: Final = (
    b'data: {"id":"0","object":"chat.completion.chunk","created":0,"model":"0",'
    b'"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def _stand_in(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_STAND_IN_STREAM)
