"""Tokens are checked against keys that were configured, and by the algorithm of the key alone."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.auth.jwks import AGAIN_S, FRESH_S, STALE_S, KeyCache
from gateway.auth.tokens import MAX_TOKEN, Tokens, mint
from gateway.errors import AuthError
from tests.auth.keys import AUDIENCE, EC_KEY, ISSUER, OTHER, RSA_KEY, SECRET, Publisher, claims, forged, jwk, signed

NOW = 1_000_000.0
URLS = {ISSUER: "https://issuer.example/keys", OTHER: "https://other.example/keys"}


@dataclass
class Desk:
    """Who checks, the keys that are published, and a clock."""

    publisher: Publisher
    now: float = 0.0

    def __post_init__(self) -> None:
        self.keys = KeyCache(URLS, lambda: self.now, self.publisher.fetch)
        self.tokens = Tokens(AUDIENCE, AUDIENCE, SECRET, self.keys)

    def check(self, token: str) -> dict[str, Any]:
        return asyncio.run(self.tokens.claims(token, URLS))

    def refused(self, token: str) -> str:
        with pytest.raises(AuthError) as caught:
            self.check(token)
        assert caught.value.code in ("invalid_api_key", "issuer_unavailable")
        assert len(token) < 8 or token[:20] not in str(caught.value)
        return caught.value.reason


@pytest.fixture
def desk() -> Desk:
    keys = [jwk(RSA_KEY, "r1", alg="RS256"), jwk(EC_KEY, "e1")]
    return Desk(Publisher({URLS[ISSUER]: keys, URLS[OTHER]: []}))


def test_a_token_of_the_secret_passes(desk: Desk) -> None:
    assert desk.check(signed(NOW))["sub"] == "ada"
    assert desk.check(mint(claims(NOW), SECRET))["tenant"] == "acme"
    assert desk.check(signed(NOW, aud=["else", AUDIENCE]))["sub"] == "ada"
    assert desk.publisher.asked == []


def test_tokens_of_public_keys_pass(desk: Desk) -> None:
    assert desk.check(signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER))["sub"] == "ada"
    assert desk.check(signed(NOW, EC_KEY, "ES256", "e1", iss=ISSUER))["sub"] == "ada"
    assert desk.publisher.asked == [URLS[ISSUER]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "other"}, "wrong_aud"),
        ({"aud": ...}, "missing_claim"),
        ({"iss": "https://evil.example"}, "wrong_iss"),
        ({"iss": ...}, "wrong_iss"),
        ({"iss": f"{AUDIENCE} "}, "wrong_iss"),
        ({"exp": ...}, "missing_claim"),
        ({"sub": ...}, "missing_claim"),
    ],
)
def test_wrong_or_missing_claims_are_refused(desk: Desk, changes: dict[str, Any], reason: str) -> None:
    assert desk.refused(signed(NOW, **changes)) == reason


def test_another_secret_is_refused(desk: Desk) -> None:
    assert desk.refused(signed(NOW, b"x" * 32)) == "wrong_signature"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_without_a_signature_is_refused(desk: Desk, algorithm: str) -> None:
    for issuer in (AUDIENCE, ISSUER):
        token = forged({"alg": algorithm, "kid": "r1"}, claims(NOW, iss=issuer))
        assert desk.refused(token) in ("malformed", "wrong_algorithm", "wrong_signature")


def test_a_public_key_is_no_secret(desk: Desk) -> None:
    """The oldest trick: an HMAC with the text of the public key, which everybody has."""
    public = RSA_KEY.public_key()
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        text = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        token = forged({"alg": "HS256", "kid": "r1", "typ": "JWT"}, claims(NOW, iss=ISSUER), text)
        assert desk.refused(token) == "wrong_algorithm"


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_secret_signs_by_one_algorithm(desk: Desk, algorithm: str) -> None:
    assert desk.refused(jwt.encode(claims(NOW), SECRET * 2, algorithm=algorithm)) == "wrong_algorithm"


def test_a_key_signs_by_its_own_algorithm(desk: Desk) -> None:
    assert desk.refused(signed(NOW, RSA_KEY, "PS256", "r1", iss=ISSUER)) == "wrong_algorithm"
    assert desk.refused(signed(NOW, RSA_KEY, "RS512", "r1", iss=ISSUER)) == "wrong_algorithm"
    assert desk.refused(signed(NOW, EC_KEY, "ES256", "r1", iss=ISSUER)) == "wrong_algorithm"


def test_a_key_of_another_kind_is_refused(desk: Desk) -> None:
    secret = base64.urlsafe_b64encode(SECRET).decode()
    desk.publisher.keys[URLS[ISSUER]] = [
        {"kty": "oct", "kid": "o1", "k": secret},
        jwk(ec.generate_private_key(ec.SECP384R1()), "e2"),
        {"kty": "RSA", "kid": "r2", "n": "AQAB"},
        {"kty": "RSA", "kid": "r3", "n": "AQAB", "e": "AQAB", "alg": "RS512"},
    ]
    assert desk.refused(forged({"alg": "HS256", "kid": "o1"}, claims(NOW, iss=ISSUER), SECRET)) == "wrong_algorithm"
    assert desk.refused(signed(NOW, EC_KEY, "ES256", "e2", iss=ISSUER)) in ("wrong_key", "wrong_signature", "malformed")
    assert desk.refused(signed(NOW, RSA_KEY, "RS256", "r2", iss=ISSUER)) == "wrong_key"
    assert desk.refused(signed(NOW, RSA_KEY, "RS256", "r3", iss=ISSUER)) == "wrong_algorithm"


def test_keys_in_the_header_are_never_looked_at(desk: Desk) -> None:
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    headers = {
        "kid": "mine",
        "jwk": jwk(mine, "mine"),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example",
    }
    token = jwt.encode(claims(NOW, iss=ISSUER), mine, algorithm="RS256", headers=headers)
    assert desk.refused(token) == "unknown_key"
    assert desk.publisher.asked == [URLS[ISSUER]]


def test_the_key_of_one_issuer_is_not_good_for_another(desk: Desk) -> None:
    desk.check(signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER))
    assert desk.refused(signed(NOW, RSA_KEY, "RS256", "r1", iss=OTHER)) == "unknown_key"


def test_the_secret_does_not_speak_for_other_issuers(desk: Desk) -> None:
    assert desk.refused(signed(NOW, kid="r1", iss=ISSUER)) == "wrong_algorithm"
    assert desk.refused(signed(NOW, iss=ISSUER)) == "unknown_key"


@pytest.mark.parametrize("kid", ["", None, 7, ["r1"], "../r1", "x" * 3000])
def test_an_unknown_key_is_refused(desk: Desk, kid: object) -> None:
    token = forged({"alg": "RS256", "kid": kid}, claims(NOW, iss=ISSUER), b"x")
    assert desk.refused(token) in ("unknown_key", "malformed")


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "\ud800", "é.é.é", "e30.e30.", "eyJhbGciOiJIUzI1NiJ9.W10.c2ln", "x" * MAX_TOKEN]
)
def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    assert desk.refused(token) in ("malformed", "wrong_iss")


def test_a_token_may_not_be_any_length(desk: Desk) -> None:
    assert desk.refused(signed(NOW, more="x" * MAX_TOKEN)) == "too_long"


def test_an_extension_that_must_be_understood_is_not(desk: Desk) -> None:
    token = forged({"alg": "HS256", "crit": ["b64"], "b64": False}, claims(NOW), SECRET)
    assert desk.refused(token) == "malformed"


# --- the keys ---


def test_an_unknown_key_is_asked_for_once_a_minute(desk: Desk) -> None:
    for number in range(20):
        assert desk.refused(signed(NOW, RSA_KEY, "RS256", f"new{number}", iss=ISSUER)) == "unknown_key"
    assert len(desk.publisher.asked) == 1
    desk.publisher.keys[URLS[ISSUER]].append(jwk(RSA_KEY, "new"))
    desk.now += AGAIN_S
    assert desk.check(signed(NOW, RSA_KEY, "RS256", "new", iss=ISSUER))["sub"] == "ada"
    assert len(desk.publisher.asked) == 2


def test_a_key_that_was_withdrawn_is_forgotten(desk: Desk) -> None:
    token = signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)
    desk.check(token)
    desk.publisher.keys[URLS[ISSUER]] = []
    desk.now += FRESH_S + 1
    assert desk.refused(token) == "unknown_key"


def test_known_keys_outlast_an_issuer_that_cannot_be_reached_for_a_day(desk: Desk) -> None:
    token = signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)
    desk.check(token)
    desk.publisher.broken = True
    desk.now += STALE_S
    desk.check(token)
    desk.now += 1
    assert desk.refused(token) == "issuer_unavailable"


def test_an_issuer_that_was_never_reached_is_told_apart(desk: Desk) -> None:
    desk.publisher.broken = True
    assert desk.refused(signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)) == "issuer_unavailable"


def test_a_key_that_is_not_for_signatures_is_not_used(desk: Desk) -> None:
    desk.publisher.keys[URLS[ISSUER]] = [{**jwk(RSA_KEY, "r1"), "use": "enc"}]
    assert desk.refused(signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)) == "unknown_key"


def test_who_asks_at_the_same_time_asks_once(desk: Desk) -> None:
    async def main() -> None:
        token = signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)
        await asyncio.gather(*(desk.tokens.claims(token, URLS) for _ in range(20)))

    asyncio.run(main())
    assert len(desk.publisher.asked) == 1
