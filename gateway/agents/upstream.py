"""A server of OpenAI's kind, as every agent uses it that asks one over HTTP: one client, deadlines, and sentences for
what can go wrong.

Asking again is worth its while only before the first token: nothing was said yet, and one short wait may be all that
was missing. After a token nothing is asked again, for the answer would begin anew.

Sentences name the server and the status, never the server's own words, which may quote the conversation or a key.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, Literal, TypeAlias, TypeVar

import httpx2
import openai

from gateway.agents.patience import PATIENCE, Patience
from gateway.errors import AgentError, SettingsError

T = TypeVar("T")

PLACEHOLDER_KEY: Final = "none"
"""Sent to a given base URL when no key was given: most such servers want none, the client library wants one."""

MAX_EVENT_BYTES: Final = 2 * 1024 * 1024
"""Of one event of a stream, and of the body of a refusal: the client library would collect any number."""

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Of all events of a stream: twice what an answer of 100,000 characters is that comes one by one. What is no text, the
arguments of a tool's call say, is collected until its end."""

MAX_RETRY_AFTER_S: Final = 2.0
"""A server that is busy for longer is told of instead: somebody is waiting for an answer."""

TRAILER_S: Final = 1.0
"""For what follows the end of an answer (its cost, mostly), and is not worth a wait."""

_OPENAI_HOST: Final = "api.openai.com"
_KEEP_IDLE_S: Final = 60.0
"""Turns of a conversation lie further apart than httpx's 5 s; a new TLS connection costs 2-3 round trips."""

_FAILURES: Final = (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError)
"""All that a request can raise on purpose; ``ValueError`` is an answer that is not JSON or not UTF-8."""

_NO_QUOTA: Final = "insufficient_quota"
"""OpenAI's code for an account without money, under the same status as haste."""

_LONG: Final = 9
"""Digits of a number of seconds that nobody means."""

_TAIL: Final = 16
"""Bytes of a stream that are remembered: its last word and a line's end."""

Progress: TypeAlias = Literal["nothing", "token", "end"]
"""What an event of a stream brings: nothing of the answer, some of it, or its proper end (and perhaps some of it)."""


class Upstream:
    """One model at one server."""

    def __init__(
        self, model: str, api_key: str | None = None, base_url: str | None = None, patience: Patience = PATIENCE
    ) -> None:
        """Without *api_key* and *base_url* the environment is asked (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``).

        The key in the environment is never sent to an explicit *base_url*. Raises :class:`SettingsError` when there is
        no key, or *base_url* is no http(s) address.
        """
        self.model = model
        self.client = _connect(api_key or None, base_url or None, patience)
        self._patience = patience

    @property
    def at_openai(self) -> bool:
        """Is it OpenAI's own server?"""
        return self.client.base_url.host == _OPENAI_HOST

    @property
    def server(self) -> str:
        """Its host and port, for sentences."""
        return self.client.base_url.netloc.decode("ascii", "replace")

    async def stream(
        self, ask: Callable[[], Awaitable[openai.AsyncStream[T]]], read: Callable[[T], Progress]
    ) -> AsyncGenerator[T, None]:
        """Ask, and yield the events of the answer. *read* tells of each what it brings.

        Asked once more when the server could not be reached, broke off, failed or was busy for a moment, unless a
        token had come: what *ask* makes is a new request each time, and events without a token may come twice.
        Raises :class:`AgentError`, also when a stream ends without its proper end in the middle of the answer.

        The connection is closed when the iterating task is cancelled or the iterator is closed: wrap it in
        ``contextlib.aclosing``.
        """
        clock = asyncio.get_running_loop().time
        deadline, attempts = clock() + self._patience.first_token_s, 2
        progress: Progress = "nothing"
        while True:
            attempts -= 1
            try:
                async with await _by(deadline, ask()) as stream:
                    events = aiter(stream)
                    while (event := await _by(deadline, anext(events, None))) is not None:
                        if (brought := read(event)) != "nothing":
                            progress = brought
                        yield event
                        if brought != "nothing":  # only from here on is it the model that is waited for
                            deadline = clock() + (TRAILER_S if brought == "end" else self._patience.next_token_s)
            except _FAILURES as error:
                if progress == "end":
                    return
                spoke = progress == "token"
                wait = None if spoke or not attempts else _wait(error, self._patience.retry_after_s)
                if wait is None or clock() + wait >= deadline:
                    # Not chained: the server's own words may quote the conversation or a part of the key.
                    raise self.failure(error, spoke) from None
                await asyncio.sleep(wait)
                continue
            if progress == "token" and not _is_done(stream.response):
                raise AgentError("model_failed", f"{self.server} ended its stream in the middle of the answer.")
            return

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self.client.close()

    def failure(self, error: Exception, spoke: bool) -> AgentError:
        """What to say of *error*, before or after the first token."""
        match error:
            case openai.APIStatusError():
                return _refusal(error, self.model, self.server)
            case TimeoutError():
                return AgentError("model_timeout", _timeout_sentence(self._patience, spoke))
            case openai.APIConnectionError() | httpx2.HTTPError():
                return _broken_connection(error, self.server)
            case openai.APIError():
                return AgentError("model_failed", "The model server reported an error instead of going on.")
            case _:
                return AgentError("model_failed", f"{self.server} sent something that is no stream of answers.")


def _connect(api_key: str | None, base_url: str | None, patience: Patience) -> openai.AsyncOpenAI:
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise SettingsError("The model's base URL must begin with http:// or https://, and usually ends in /v1.")
    # `read` is ours: it could not tell the first token from the others, nor a token from a keep-alive.
    timeout = openai.Timeout(patience.connect_s, read=None)
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=_KEEP_IDLE_S)
    hooks = {"response": [_watch]}
    try:
        return openai.AsyncOpenAI(
            api_key=api_key if base_url is None else api_key or PLACEHOLDER_KEY,
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, limits=limits, event_hooks=hooks),
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
        case _TooMuch():
            return AgentError("model_failed", f"{server} sent more at once than an answer can be.")
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
        case 429 if error.code == _NO_QUOTA:
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
    seconds = _retry_after(error)
    return "try again later." if seconds is None else f"try again in {seconds} s."


def _retry_after(error: openai.APIStatusError) -> int | None:
    """RFC 9110 section 10.2.3; its date form is not understood, as it would need a clock."""
    seconds = error.response.headers.get("retry-after", "")
    return int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < _LONG else None


def _wait(error: Exception, usual_s: float) -> float | None:
    """Seconds after which it is worth asking again, *usual_s* unless the server says; None for what is not."""
    match error:
        case openai.APIStatusError(status_code=status) if status >= 500 or status == 429:
            after = _retry_after(error)
            if after is None:
                return usual_s if status >= 500 else None
            return after if after <= MAX_RETRY_AFTER_S and error.code != _NO_QUOTA else None
        case openai.APIConnectionError():
            given_up = openai.APITimeoutError, httpx2.TimeoutException, _TooMuch
            return None if isinstance(error, given_up) or isinstance(error.__cause__, given_up) else usual_s
        case _:
            return None


async def _watch(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Watched(response.stream, events=response.status_code < 400)


def _is_done(response: httpx2.Response) -> bool:
    return isinstance(response.stream, _Watched) and response.stream.done


class _TooMuch(httpx2.ReadError):
    """More bytes than anybody would keep."""


class _Watched(httpx2.AsyncByteStream):
    """The bytes of a response, as long as they stay within bounds; remembers how they ended."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, events: bool) -> None:
        """With *events*, what is bounded is each event; else the whole."""
        self._stream = stream
        self._events = events
        self._size = self._total = 0
        self._tail = b""

    @property
    def done(self) -> bool:
        """Did the bytes end as a stream of chat completions does that is whole?"""
        return self._tail.rstrip().endswith(b"[DONE]")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            seen = self._tail + data
            end = max(seen.rfind(b"\n\n"), seen.rfind(b"\n\r\n")) if self._events else -1
            self._size = self._size + len(data) if end < 0 else len(seen) - end
            self._total += len(data)
            if self._size > MAX_EVENT_BYTES or self._total > MAX_ANSWER_BYTES:
                raise _TooMuch("an event, or an answer, without an end")
            self._tail = seen[-_TAIL:]
            yield data

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        await self._stream.aclose()
