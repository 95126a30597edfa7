"""Where another device finds a session: an address that it can reach, and a code that its camera reads."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlencode, urlsplit

import segno
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import ProtocolViolation
from gateway.transports.failures import told
from gateway.transports.sessions import find_session

_ALONE: Final = (
    "Only this machine reaches the gateway. Start it with --host 0.0.0.0 --tls dev and a --token to let a phone join."
)


@dataclass(frozen=True, slots=True)
class Reach:
    """Under which addresses others reach this gateway. Empty where it listens on loopback alone."""

    addresses: Sequence[str] = ()

    def base(self, seen_as: str) -> str:
        """The address for others, where a request reached us as *seen_as* (a URL).

        Raises :class:`gateway.errors.ProtocolViolation` (``not_reachable``).
        """
        seen = urlsplit(seen_as)
        if not _is_loopback(seen.hostname or ""):
            return f"{seen.scheme}://{seen.netloc}"
        if not self.addresses:
            raise ProtocolViolation("not_reachable", _ALONE)
        port = f":{seen.port}" if seen.port is not None else ""
        return f"{seen.scheme}://{self.addresses[0]}{port}"


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def drawn(text: str) -> str:
    """*text* as a QR code (ISO/IEC 18004): an SVG that stands in a page."""
    picture = io.BytesIO()
    segno.make_qr(text).save(picture, kind="svg", xmldecl=False, svgns=True, border=2, omitsize=True, nl=False)
    return picture.getvalue().decode()


@told
async def link(request: Request) -> Response:
    """``GET /v1/sessions/{id}/link``: ``{url, svg}`` for another device. No secret is in it."""
    actor = await find_session(request)
    reach: Reach = request.app.state.reach
    url = f"{reach.base(str(request.url))}/?{urlencode({'session': actor.session_id})}"
    return JSONResponse({"url": url, "svg": drawn(url)})
