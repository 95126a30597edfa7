"""Tokens for tests: by a shared secret, by public keys, and by somebody who means harm."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET: Final = b"canary-secret-0123456789abcdefghij"
ISSUER: Final = "https://issuer.example"
OTHER: Final = "https://other.example"
AUDIENCE: Final = "bargein"

RSA_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY: Final = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    maker: Callable[..., dict[str, Any]] = (
        RSAAlgorithm.to_jwk if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk
    )
    return {**maker(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def claims(now: float, **changes: Any) -> dict[str, Any]:
    """The claims of a good token; one that is changed to ``...`` is left out."""
    known = {
        "iss": AUDIENCE,
        "aud": AUDIENCE,
        "sub": "ada",
        "tenant": "acme",
        "jti": "token_1",
        "iat": int(now),
        "exp": int(now) + 3600,
        "bargein": {"*": ["*"]},
        **changes,
    }
    return {name: value for name, value in known.items() if value is not ...}


def signed(now: float, key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changes: Any) -> str:
    """A token."""
    return jwt.encode(claims(now, **changes), key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def forged(header: Mapping[str, Any], body: Mapping[str, Any], secret: bytes = b"") -> str:
    """A token that no library would make: any header, and an HMAC with *secret* (empty: no signature)."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (dict(header), dict(body))
    ]
    given = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest() if secret else b""
    return ".".join([*parts, base64.urlsafe_b64encode(given).rstrip(b"=").decode()])


@dataclass(slots=True)
class Publisher:
    """An issuer's keys behind an address, and how often they were asked for."""

    keys: dict[str, list[dict[str, Any]]]
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if self.broken:
            raise OSError("unreachable")
        return json.dumps({"keys": self.keys[url]}).encode()
