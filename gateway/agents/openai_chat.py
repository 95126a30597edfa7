"""OpenAI's chat completions, or any server that speaks them. Needs the network, but for :meth:`OpenAIChat.warm_up`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from gateway.agents.context import ChatMessage, chat_messages
from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.upstream import Progress, Upstream
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Message, SteerMode


class OpenAIChat:
    """A chat model. Cancelling the task that iterates a reply closes its connection, which stops the model."""

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
        # OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.
        limit = openai.omit if max_tokens is None else max_tokens
        self._max_tokens = openai.omit if self._upstream.at_openai else limit
        self._max_completion_tokens = limit if self._upstream.at_openai else openai.omit

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        """Yield the answer as the model streams it. Raises :class:`AgentError`.

        The connection is closed when the iterating task is cancelled or the iterator is closed. Code
        that may leave the loop early otherwise wraps it in ``contextlib.aclosing``.
        """
        messages, client = chat_messages(conversation), self._upstream.client
        spoke, ending = False, ""
        async with aclosing(self._upstream.stream(lambda: self._open(client, messages), _progress)) as chunks:
            async for chunk in chunks:
                piece, ending = _read(chunk, ending)
                if piece:
                    spoke = True
                    yield piece
        if not spoke:
            raise _silent(ending)

    async def warm_up(self) -> None:
        """Pay now what the first request costs (lazy imports). Touches no network."""
        transport = httpx2.MockTransport(_stand_in)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = self._upstream.client.with_options(http_client=http)
            async with await self._open(client, chat_messages(_WARM_UP)) as stream:
                async for chunk in stream:
                    _read(chunk, "")

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._upstream.aclose()

    async def _open(
        self, client: openai.AsyncOpenAI, messages: tuple[ChatMessage, ...]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await client.chat.completions.create(
            model=self._upstream.model,
            messages=[_param(message) for message in messages],
            stream=True,
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            max_completion_tokens=self._max_completion_tokens,
        )


def _param(message: ChatMessage) -> ChatCompletionMessageParam:
    match message.role:
        case "user":
            return {"role": "user", "content": message.content}
        case "assistant":
            return {"role": "assistant", "content": message.content}
        case "system":
            return {"role": "system", "content": message.content}


def _read(chunk: object, ending: str) -> tuple[str, str]:
    """The text in *chunk*, and how the answer ended so far: ``""`` before the first proper chunk."""
    if not isinstance(chunk, ChatCompletionChunk) or not isinstance(getattr(chunk, "choices", None), list):
        return "", ending
    if not chunk.choices:
        return "", ending or "open"
    choice = chunk.choices[0]
    delta = getattr(choice, "delta", None)
    text = getattr(delta, "content", None) or getattr(delta, "refusal", None)
    return text if isinstance(text, str) else "", getattr(choice, "finish_reason", None) or ending or "open"


def _progress(chunk: ChatCompletionChunk) -> Progress:
    text, ending = _read(chunk, "")
    return "end" if ending not in ("", "open") else "token" if text else "nothing"


def _silent(ending: str) -> AgentError:
    match ending:
        case "":
            return AgentError("model_failed", "The model server did not answer with a stream of chat completions.")
        case "length":
            return AgentError("model_failed", "The model used up its tokens before the first word: raise max tokens.")
        case "content_filter":
            return AgentError("model_refused", "The model server's content filter withheld the answer.")
        case _:
            return AgentError("model_failed", "The model ended its answer without a word.")


_WARM_UP: Final = Conversation("", "", "", (Message("user", "Hello"),))
_STAND_IN_STREAM: Final = (
    b'data: {"id":"0","object":"chat.completion.chunk","created":0,"model":"0",'
    b'"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def _stand_in(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_STAND_IN_STREAM)
