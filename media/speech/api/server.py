"""A server of speech, as its clients see it: how it is reached, and what is said when it fails."""

import ssl
from functools import cache
from typing import Final

import httpx2
import openai

from media.speech import SpeechError

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0

NO_ADDRESS: Final = "The base URL of the speech server must begin with http:// or https://, and usually ends in /v1."

FAILURES: Final = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError)
"""All that a request can raise on purpose; ``ValueError`` is an answer that is no JSON or no text."""

_PLACEHOLDER_KEY: Final = "none"
"""Sent to a given base URL when no key was given: most such servers want none, the client library wants one."""

_KEEP_IDLE_S: Final = 60.0
"""Clauses and turns lie further apart than httpx's 5 s; a new TLS connection costs 2-3 round trips."""

_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=_KEEP_IDLE_S)


def connect(api_key: str | None, base_url: str | None, read_timeout_s: float) -> openai.AsyncOpenAI:
    """A client of that server; without *api_key* and *base_url* the environment is asked.

    The key in the environment is never sent to an explicit *base_url*. Raises :class:`SpeechError`
    (``engine_unavailable``) when there is no key or the address is none.
    """
    api_key, base_url = api_key or None, base_url or None
    if base_url is not None:
        _check(base_url)
    try:
        return openai.AsyncOpenAI(
            api_key=api_key if base_url is None else api_key or _PLACEHOLDER_KEY,
            base_url=base_url,
            timeout=_timeout(read_timeout_s),
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                timeout=_timeout(read_timeout_s), limits=_LIMITS, verify=trust()
            ),
        )
    except openai.OpenAIError:
        message = "Speech by the openai engines needs OPENAI_API_KEY, or the base URL of a server that needs no key."
        raise SpeechError("engine_unavailable", message) from None
    except httpx2.InvalidURL:
        raise SpeechError("engine_unavailable", NO_ADDRESS) from None


def open_client(base_url: str, read_timeout_s: float) -> httpx2.AsyncClient:
    """A plain client, for what is not OpenAI's. Raises :class:`SpeechError` when the address is none."""
    _check(base_url)
    try:
        return httpx2.AsyncClient(base_url=base_url, timeout=_timeout(read_timeout_s), limits=_LIMITS, verify=trust())
    except httpx2.InvalidURL:
        raise SpeechError("engine_unavailable", NO_ADDRESS) from None


def _check(base_url: str) -> None:
    if not base_url.startswith(("http://", "https://")):
        raise SpeechError("engine_unavailable", NO_ADDRESS)


def _timeout(read_timeout_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)


@cache
def trust() -> ssl.SSLContext:
    """Which certificates are trusted. Reading them takes a tenth of a second, so once is enough."""
    return httpx2.create_ssl_context()


def name_of(client: openai.AsyncOpenAI) -> str:
    """The server's name and port, for messages."""
    return client.base_url.netloc.decode("ascii", "replace")


def failure(error: Exception, server: str) -> SpeechError:
    """What befell a request, as a sentence about *server*."""
    cause = error.__cause__ if type(error) in (openai.APIConnectionError, openai.APITimeoutError) else error
    match cause:
        case openai.APIStatusError():
            return refusal(cause.status_code, server)
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            return SpeechError("engine_unavailable", f"No connection to {server}.")
        case httpx2.TimeoutException() | TimeoutError():
            return SpeechError("engine_timeout", f"{server} did not answer in time.")
        case httpx2.HTTPError():
            return SpeechError("engine_failed", f"{server} broke off the connection.")
        case openai.APIError():
            return SpeechError("engine_failed", f"{server} reported a failure.")
        case _:
            return SpeechError("engine_failed", f"{server} gave an answer that cannot be read.")


def refusal(status: int, server: str) -> SpeechError:
    """What an HTTP status of *server* says."""
    match status:
        case 401 | 403:
            return SpeechError("engine_unavailable", f"The key was refused by {server} (HTTP {status}).")
        case 404:
            return SpeechError("engine_unavailable", f"No such model, voice or address at {server} (HTTP {status}).")
        case 408 | 504:
            return SpeechError("engine_timeout", f"{server} did not answer in time (HTTP {status}).")
        case 429:
            return SpeechError("engine_failed", f"{server} has had enough requests for now (HTTP {status}).")
        case _:
            return SpeechError("engine_failed", f"{server} refused the request (HTTP {status}).")
