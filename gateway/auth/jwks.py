"""The public keys of issuers, from addresses that the operator gave: nothing in a token says where to look."""

import asyncio
import logging
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from gateway.errors import AuthError

log = logging.getLogger(__name__)

FRESH_S: Final = 600.0
"""Keys are asked for again after this, so that one that was withdrawn does not count for ever."""

STALE_S: Final = 24 * 3600.0
"""Keys that cannot be had again count for so long."""

AGAIN_S: Final = 60.0
"""Between two requests because of a key that is not known: tokens must not make us flood an issuer."""

TIMEOUT_S: Final = 5.0
MAX_BYTES: Final = 256 * 1024

Key: TypeAlias = Mapping[str, Any]
Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


@dataclass(slots=True)
class _Known:
    keys: dict[str, Key] = field(default_factory=dict)
    fetched: float | None = None
    """Monotonic seconds; None when they were never had."""

    tried: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeyCache:
    """Keys by issuer *and* key id: an issuer's key is good for that issuer's tokens alone."""

    def __init__(self, urls: Mapping[str, str], now: Callable[[], float], fetch: Fetch | None = None) -> None:
        self._urls = urls
        self._now = now
        self._fetch = fetch or fetched
        self._known = {issuer: _Known() for issuer in urls}

    async def key(self, issuer: str, kid: str) -> Key | None:
        """The key *kid* of an issuer that was configured; None when it has no such key.

        Raises ``AuthError`` with ``issuer_unavailable`` when its keys cannot be had.
        """
        known = self._known[issuer]
        async with known.lock:
            if self._is_due(known, kid):
                await self._ask(issuer, known)
        if known.fetched is None or self._now() - known.fetched > STALE_S:
            message = "The keys of this token's issuer cannot be had now. Try again in a while."
            raise AuthError("issuer_unavailable", message, reason="issuer_unavailable")
        return known.keys.get(kid)

    def _is_due(self, known: _Known, kid: str) -> bool:
        now = self._now()
        if known.tried is not None and now - known.tried < AGAIN_S:
            return False
        return known.fetched is None or kid not in known.keys or now - known.fetched > FRESH_S

    async def _ask(self, issuer: str, known: _Known) -> None:
        known.tried = self._now()
        try:
            found = msgspec.json.decode(await self._fetch(self._urls[issuer]), type=_Set).keys
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as fault:
            log.warning("the keys of an issuer cannot be had: %s", type(fault).__name__)
            return
        usable = (key for key in found if key.get("use", "sig") == "sig" and isinstance(key.get("kid"), str))
        known.keys, known.fetched = {key["kid"]: key for key in usable}, self._now()


async def fetched(url: str) -> bytes:
    """What is at *url*. No redirects, no more than 256 KiB, 5 s. Raises ``OSError``, ``ValueError``."""
    async with asyncio.timeout(TIMEOUT_S):
        return await asyncio.to_thread(_fetch, url)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: keys come from where the operator said."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _fetch(url: str) -> bytes:
    with urllib.request.build_opener(_NoRedirect).open(url, timeout=TIMEOUT_S) as response:
        body: bytes = response.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError("too large")
    return body
