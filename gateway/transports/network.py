"""How the two sides of a call find each other: ports, addresses, STUN and TURN servers; and who may offer how often."""

import base64
import hashlib
import hmac
import ipaddress
import math
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.transports.failures import failure
from gateway.transports.flood import Bucket
from media.peer import IceServer, Media, PeerOptions

CREDENTIAL_LASTS_S: Final = 600
"""Long enough to place a call, which then keeps what it was given; too short to be worth passing on."""

MAX_ADDRESSES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Turn:
    """Relays and how to be let in: with a name and a password, or with ones that are made from a *secret* that the
    relay shares (coturn's ``use-auth-secret``)."""

    urls: tuple[str, ...] = ()
    username: str = ""
    credential: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    def let_in(self, wall: float) -> tuple[str, str]:
        """User name and password, as of *wall* (seconds since 1970)."""
        if not self.secret:
            return self.username, self.credential
        username = f"{int(wall) + CREDENTIAL_LASTS_S}:bargein"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return username, base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Network:
    """What the settings say of it."""

    ports: range | None = None
    public_address: str = ""
    stun: tuple[str, ...] = ()
    turn: Turn = Turn()
    max_message_bytes: int = 64 * 1024
    media: Media = "direct"

    def options(self, wall: float) -> PeerOptions:
        """How a peer of ours is made."""
        username, credential = self.turn.let_in(wall)
        servers = [IceServer(url) for url in self.stun]
        servers += [IceServer(url, username, credential) for url in self.turn.urls]
        return PeerOptions(
            ice_servers=tuple(servers),
            ports=self.ports,
            public_address=self.public_address,
            max_message_bytes=self.max_message_bytes,
            media=self.media,
            fill_pauses=True,
        )

    def for_clients(self, wall: float) -> list[dict[str, Any]]:
        """The servers as a browser takes them (``RTCConfiguration.iceServers``)."""
        username, credential = self.turn.let_in(wall)
        servers: list[dict[str, Any]] = [{"urls": list(self.stun)}] if self.stun else []
        if self.turn.urls:
            servers.append({"urls": list(self.turn.urls), "username": username, "credential": credential})
        return servers


async def ice_servers(request: Request) -> Response:
    """``GET /v1/realtime/ice_servers``: what a client needs besides the gateway's own candidates."""
    network: Network = request.app.state.network
    lasts = CREDENTIAL_LASTS_S if network.turn.secret else None
    servers = network.for_clients(request.app.state.services.clock.wall())
    return JSONResponse({"ice_servers": servers, "ttl": lasts}, headers={"Cache-Control": "no-store"})


class Offers:
    """How many offers each client address may make a minute; 0 for any number. This machine's own are not counted:
    who is here needs no offer to keep it busy."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._buckets: dict[str, Bucket] = {}

    def refusal(self, request: Request) -> Response | None:
        """Count an offer; what to answer to one too many."""
        services = request.app.state.services
        source = source_of(request.client.host) if request.client is not None else None
        if source is None or self._a_minute == 0 or self._take(source, services.clock.now()):
            return None
        answer = failure(429, "rate_limited", f"More than {self._a_minute} offers a minute; try again later.")
        answer.headers["Retry-After"] = str(math.ceil(60 / self._a_minute))
        return answer

    def _take(self, source: str, now: float) -> bool:
        bucket = self._buckets.pop(source, None) or Bucket(self._a_minute / 60, self._a_minute)
        while len(self._buckets) >= MAX_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]  # the one that was quiet for longest
        self._buckets[source] = bucket
        return bucket.take(now)


def source_of(host: str) -> str | None:
    """What counts as one client: an IPv4 address, or the network of an IPv6 one; None for this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.is_loopback:
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))
