"""A certificate for trying things out: browsers give no microphone to a page without TLS, unless it is on localhost.

It is self-signed, so that every device asks once whether to trust it. Real ones come from an authority, or from the
proxy in front.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Final

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LASTS: Final = timedelta(days=90)
RENEWED_BEFORE: Final = timedelta(days=7)
"""A certificate with less left than this is made anew when a gateway starts."""

EVERYWHERE: Final = ("0.0.0.0", "::")
"""Hosts that stand for all addresses of this machine."""

_NAME: Final = "Bargein development"


def own_addresses() -> tuple[str, ...]:
    """IPv4 addresses of this machine that others in its network can reach, without loopback and link-local ones."""
    found = {str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4}
    reached = (IPv4Address(each) for each in found)
    return tuple(str(each) for each in sorted(reached) if not (each.is_loopback or each.is_link_local))


def development_certificate(folder: Path, names: Sequence[str], now: datetime | None = None) -> tuple[Path, Path]:
    """Paths of a certificate for all *names* (host names and addresses) and of its key, in PEM; made where none is.

    Raises :class:`OSError`.
    """
    now = now or datetime.now(UTC)
    certificate, key = folder / "development.pem", folder / "development-key.pem"
    if not (key.exists() and certificate.exists() and _serves(certificate.read_bytes(), names, now)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made, private = _make(names, now)
        key.touch(mode=0o600)
        key.write_bytes(private)
        certificate.write_bytes(made)
    return certificate, key


def _serves(pem: bytes, names: Sequence[str], now: datetime) -> bool:
    try:
        known = x509.load_pem_x509_certificate(pem)
        names_in_it = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return known.not_valid_after_utc - now > RENEWED_BEFORE and set(map(_named, names)) <= set(names_in_it)


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _make(names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    made = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName([_named(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private
