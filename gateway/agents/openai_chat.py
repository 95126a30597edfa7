"""OpenAI's chat completions, or any server that speaks them. Needs the network, but for :meth:`OpenAIChat.warm_up`."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from gateway.agents.context import ChatMessage, chat_messages
from gateway.errors import AgentError, SettingsError
from gateway.runtime.ports import Conversation, Message, SteerMode

T = TypeVar("T")

PLACEHOLDER_KEY: Final = "none"
"""Sent to a given base URL when no key was given: most such servers want none, the client library wants one."""

_OPENAI_HOST: Final = "api.openai.com"
_KEEP_IDLE_S: Final = 60.0
"""Turns of a conversation lie further apart than httpx's 5 s; a new TLS connection costs 2-3 round trips."""

_FAILURES: Final = (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError)
"""All that a request can raise on purpose; ``ValueError`` is an answer that is not JSON or not UTF-8."""

_END: Final = object()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a model may keep us waiting, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 15.0
    """From the request to the first chunk; the server's keep-alive comments do not prolong it."""

    next_token_s: float = 15.0


_PATIENCE: Final = Patience()


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
        patience: Patience = _PATIENCE,
    ) -> None:
        """Without *api_key* and *base_url* the environment is asked (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``).

        *steer* is ``prefill`` for a server that goes on with a last message of the assistant's, as many that serve open
        models do; OpenAI's begins another. The key in the environment is never sent to an explicit *base_url*. Raises
        :class:`SettingsError` when there is no key, or *base_url* is no http(s) address.
        """
        self.name = f"openai_chat {model}"
        self.steer: SteerMode = steer
        self._model = model
        self._patience = patience
        self._client = _connect(api_key or None, base_url or None, patience)
        self._temperature = openai.omit if temperature is None else temperature
        # OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.
        limit = openai.omit if max_tokens is None else max_tokens
        at_openai = self._client.base_url.host == _OPENAI_HOST
        self._max_tokens = openai.omit if at_openai else limit
        self._max_completion_tokens = limit if at_openai else openai.omit

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        """Yield the answer as the model streams it. Raises :class:`AgentError`; never retries.

        The connection is closed when the iterating task is cancelled or the iterator is closed. Code
        that may leave the loop early otherwise wraps it in ``contextlib.aclosing``.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience.first_token_s
        spoke, ending = False, ""
        try:
            opening = self._open(self._client, chat_messages(conversation))
            async with await _by(deadline, opening) as stream:
                chunks = aiter(stream)
                while (chunk := await _by(deadline, anext(chunks, _END))) is not _END:
                    deadline = clock() + self._patience.next_token_s
                    piece, ending = _read(chunk, ending)
                    if piece:
                        spoke = True
                        yield piece
        except _FAILURES as error:
            # Not chained: the server's own words may quote the conversation or a part of the key.
            raise self._failure(error, spoke) from None
        if not spoke:
            raise _silent(ending)

    async def warm_up(self) -> None:
        """Pay now what the first request costs (lazy imports). Touches no network."""
        transport = httpx2.MockTransport(_stand_in)
        async with httpx2.AsyncClient(transport=transport) as http:
            client = self._client.with_options(http_client=http)
            async with await self._open(client, chat_messages(_WARM_UP)) as stream:
                async for chunk in stream:
                    _read(chunk, "")

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.close()

    async def _open(
        self, client: openai.AsyncOpenAI, messages: tuple[ChatMessage, ...]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await client.chat.completions.create(
            model=self._model,
            messages=[_param(message) for message in messages],
            stream=True,
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            max_completion_tokens=self._max_completion_tokens,
        )

    def _failure(self, error: Exception, spoke: bool) -> AgentError:
        server = self._client.base_url.netloc.decode("ascii", "replace")
        match error:
            case openai.APIStatusError():
                return _refusal(error, self._model, server)
            case TimeoutError():
                return AgentError("model_timeout", _timeout_sentence(self._patience, spoke))
            case openai.APIConnectionError() | httpx2.HTTPError():
                return _broken_connection(error, server)
            case openai.APIError():
                return AgentError("model_failed", "The model server reported an error instead of going on.")
            case _:
                return AgentError("model_failed", f"{server} sent something that is no chat completion stream.")


def _connect(api_key: str | None, base_url: str | None, patience: Patience) -> openai.AsyncOpenAI:
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise SettingsError("The model's base URL must begin with http:// or https://, and usually ends in /v1.")
    # `read` is ours: it could not tell the first token from the others, nor a token from a keep-alive.
    timeout = openai.Timeout(patience.connect_s, read=None)
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=_KEEP_IDLE_S)
    try:
        return openai.AsyncOpenAI(
            api_key=api_key if base_url is None else api_key or PLACEHOLDER_KEY,
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, limits=limits),
        )
    except openai.OpenAIError:
        raise SettingsError(
            "The model needs a key: set OPENAI_API_KEY, or give the base URL of a server that needs none."
        ) from None
    except httpx2.InvalidURL:
        raise SettingsError("The model's base URL is not a valid address.") from None


async def _by(deadline: float, step: Awaitable[T]) -> T:
    async with asyncio.timeout_at(deadline):
        return await step


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


def _timeout_sentence(patience: Patience, spoke: bool) -> str:
    if spoke:
        return f"The model fell silent for {patience.next_token_s:g} s in the middle of its answer."
    return f"The model did not begin to answer within {patience.first_token_s:g} s. It may be loading, or overloaded."


def _broken_connection(error: Exception, server: str) -> AgentError:
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    match cause:
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            sentence = f"No connection to {server}: check that the model server runs, and its base URL."
            return AgentError("model_unreachable", sentence)
        case httpx2.TimeoutException():
            return AgentError("model_timeout", f"{server} did not take the request in time.")
        case _:
            return AgentError("model_failed", f"{server} broke off the connection.")


def _refusal(error: openai.APIStatusError, model: str, server: str) -> AgentError:
    status, where = error.status_code, f"{server} (HTTP {error.status_code})"
    match status:
        case 401:
            return AgentError("model_refused", f"The key was refused by {where}: check OPENAI_API_KEY.")
        case 403:
            return AgentError("model_refused", f"The key may not use {model}, says {where}.")
        case 404:
            sentence = f"No model {model} at {where}: check its name, and the base URL, which usually ends in /v1."
            return AgentError("model_refused", sentence)
        case 429 if error.code == "insufficient_quota":
            return AgentError("rate_limited", f"The account has no quota left, says {where}: check its billing.")
        case 429:
            return AgentError("rate_limited", f"Too many requests for {where}: {_retry_hint(error)}")
        case _ if error.code == "context_length_exceeded":
            return AgentError("model_refused", f"The conversation has become too long for {model}.")
        case _ if 400 <= status < 500:
            return AgentError("model_refused", f"The request was refused by {where}: check the model's settings.")
        case _:
            return AgentError("model_failed", f"The model server failed: {where}. Try again.")


def _retry_hint(error: openai.APIStatusError) -> str:
    """RFC 9110 section 10.2.3; its date form is not given on, as it would need a clock."""
    seconds = error.response.headers.get("retry-after", "")
    return f"try again in {int(seconds)} s." if seconds.isascii() and seconds.isdigit() else "try again later."


_WARM_UP: Final = Conversation("", "", "", (Message("user", "Hello"),))
_STAND_IN_STREAM: Final = (
    b'data: {"id":"0","object":"chat.completion.chunk","created":0,"model":"0",'
    b'"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def _stand_in(_request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_STAND_IN_STREAM)
