"""JSON Web Tokens (RFC 7519): checked and minted. The only place that knows PyJWT."""

from collections.abc import Mapping
from typing import Any, Final

import jwt
from jwt.types import Options

from gateway.auth.jwks import KeyCache
from gateway.auth.principal import invalid

MAX_TOKEN: Final = 8 * 1024
"""Characters. Longer ones are not even looked at."""

OWN: Final = "HS256"
"""What a shared secret signs; nothing else, and nothing else is signed by it."""

PUBLIC: Final = {"RSA": "RS256", "EC": "ES256"}
"""What each kind of public key signs."""

_OPTIONS: Final[Options] = {
    "require": ["exp", "sub", "iss", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""Times and names are checked by :func:`gateway.auth.principal.principal_of`, on our clock."""


class Tokens:
    """Checks tokens of this gateway's own secret, and of issuers with public keys. One of both, at least."""

    def __init__(self, issuer: str, audience: str, secret: bytes | None, keys: KeyCache | None = None) -> None:
        self._issuer = issuer
        self._audience = audience
        self._secret = secret
        self._keys = keys

    async def claims(self, token: str, issuers: Mapping[str, str]) -> dict[str, Any]:
        """The claims of a token that one of us signed: the secret, or an issuer out of *issuers*.

        Times are not looked at. Raises ``AuthError``: ``invalid_api_key``, ``issuer_unavailable``.
        """
        if len(token) > MAX_TOKEN:
            raise invalid("too_long")
        header, issuer = _unverified(token)
        if issuer == self._issuer and self._secret is not None:
            return self._checked(token, self._secret, OWN, issuer)
        if issuer in issuers and self._keys is not None:
            kid = header.get("kid")
            key = await self._keys.key(issuer, kid) if isinstance(kid, str) else None
            if key is None:
                raise invalid("unknown_key")
            # The algorithm is the key's, not the token's word.
            algorithm = PUBLIC.get(str(key.get("kty")))
            if algorithm is None or key.get("alg", algorithm) != algorithm:
                raise invalid("wrong_algorithm")
            return self._checked(token, _public_key(key, algorithm), algorithm, issuer)
        raise invalid("wrong_iss")

    def _checked(self, token: str, key: Any, algorithm: str, issuer: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=issuer,
                options=_OPTIONS,
            )
        except jwt.PyJWTError as fault:
            raise invalid(_REASONS.get(type(fault), "malformed")) from None
        except (ValueError, TypeError, RecursionError):
            raise invalid("malformed") from None


_REASONS: Final[Mapping[type, str]] = {
    jwt.InvalidSignatureError: "wrong_signature",
    jwt.InvalidAlgorithmError: "wrong_algorithm",
    jwt.InvalidAudienceError: "wrong_aud",
    jwt.InvalidIssuerError: "wrong_iss",
    jwt.MissingRequiredClaimError: "missing_claim",
}


def _unverified(token: str) -> tuple[dict[str, Any], str]:
    """A token's header, and who it says has issued it: good for choosing among keys that we have, and for no more."""
    try:
        found = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise invalid("malformed") from None
    issuer = found["payload"].get("iss")
    return found["header"], issuer if isinstance(issuer, str) else ""


def _public_key(key: Mapping[str, Any], algorithm: str) -> Any:
    try:
        return jwt.PyJWK(dict(key), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise invalid("wrong_key") from None


def mint(claims: Mapping[str, Any], secret: bytes) -> str:
    """A token with these claims, signed by the shared secret."""
    return jwt.encode(dict(claims), secret, algorithm=OWN)
