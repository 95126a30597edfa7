"""Reading an offer: bounded, and refused with a code when it is none."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message

from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.transports.failures import refusal
from gateway.transports.offers import MAX_BODY_BYTES, MAX_OFFER_BYTES, read_offer

SDP = "v=0\r\n"


class Body:
    """A request's body, in pieces; counts what was taken of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.taken = 0

    async def receive(self) -> Message:
        piece = next(self._pieces, None)
        self.taken += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


def read(kind: str, *pieces: bytes) -> tuple[str, rt.SessionChanges]:
    return read_body(kind, Body(pieces))


def read_body(kind: str, body: Body) -> tuple[str, rt.SessionChanges]:
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())], "app": None}
    return asyncio.run(read_offer(Request(scope, body.receive)))


def refused(kind: str, *pieces: bytes) -> tuple[int, str]:
    with pytest.raises(ProtocolViolation) as caught:
        read(kind, *pieces)
    return refusal(caught.value).status_code, caught.value.code


FORM = "multipart/form-data; boundary=b0"


def form(*fields: tuple[str, str], head: str = "") -> bytes:
    parts = [f'--b0\r\nContent-Disposition: form-data; name="{name}"{head}\r\n\r\n{text}\r\n' for name, text in fields]
    return ("".join(parts) + "--b0--\r\n").encode()


def test_raw_sdp_is_the_offer() -> None:
    for kind in ("application/sdp", "Application/SDP; charset=utf-8"):
        assert read(kind, b"v=0", b"\r\n") == (SDP, rt.SessionChanges())


def test_a_form_has_the_offer_and_the_wishes() -> None:
    for head in ("", '; filename="x"\r\nContent-Type: application/sdp'):
        sdp, changes = read(FORM, form(("sdp", SDP), ("session", '{"instructions":"Be brief."}'), head=head))
        assert sdp.strip() == "v=0"
        assert changes.instructions == "Be brief."
    assert read(FORM, form(("sdp", "v=0"), ("session", " ")))[1] == rt.SessionChanges()


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "multipart/mixed", "application/sdpx"])
def test_another_type_is_refused(kind: str) -> None:
    assert refused(kind, SDP.encode()) == (415, "unsupported_content_type")


@pytest.mark.parametrize("body", [b"", b" \r\n", form(), form(("session", "{}")), form(("sdp", " "))])
def test_a_missing_offer_is_refused(body: bytes) -> None:
    kind = FORM if b"b0" in body else "application/sdp"
    assert refused(kind, body) == (400, "invalid_sdp")


@pytest.mark.parametrize("session", ["nonsense", "[]", "5", "[" * 10_000, '{"instructions":5}', '"\\ud800"'])
def test_wishes_that_cannot_be_read_are_refused(session: str) -> None:
    assert refused(FORM, form(("sdp", SDP), ("session", session))) == (400, "invalid_value")


def test_a_form_that_cannot_be_read_is_refused() -> None:
    good = form(("sdp", SDP))
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"):
        assert refused(kind, good) == (400, "invalid_form")
    assert refused(FORM, form(*[(f"x{number}", "x") for number in range(10)])) == (400, "invalid_form")
    assert refused(FORM, b"\x00" * 100) == (400, "invalid_form")


def test_the_largest_offer_is_taken_and_one_character_more_is_not() -> None:
    assert len(read("application/sdp", b"x" * MAX_OFFER_BYTES)[0]) == MAX_OFFER_BYTES
    assert refused("application/sdp", b"x" * (MAX_OFFER_BYTES + 1)) == (413, "offer_too_large")
    assert refused(FORM, form(("sdp", "x" * (MAX_OFFER_BYTES + 1)))) == (413, "offer_too_large")


@pytest.mark.parametrize("kind", ["application/sdp", FORM])
def test_no_more_is_read_than_may_be_sent(kind: str) -> None:
    head = b'--b0\r\nContent-Disposition: form-data; name="sdp"\r\n\r\n'
    body = Body([head, *[b"x" * 10_000] * 1000])
    with pytest.raises(ProtocolViolation) as caught:
        read_body(kind, body)
    assert refusal(caught.value).status_code == 413
    assert body.taken <= MAX_BODY_BYTES + 10_000
