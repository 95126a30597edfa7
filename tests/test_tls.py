"""A certificate for development, and a gateway that is served with it."""

import json
import ssl
import stat
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.tls import LASTS, RENEWED_BEFORE, development_certificate, own_addresses
from tests.e2e.gateway import Gateway

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "192.0.2.7")


def names_in(certificate: Path) -> set[str]:
    known = x509.load_pem_x509_certificate(certificate.read_bytes())
    found = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(each.value) for each in found}


def test_a_certificate_names_all_under_which_the_gateway_is_reached(tmp_path: Path) -> None:
    certificate, key = development_certificate(tmp_path / "tls", NAMES, NOW)
    assert names_in(certificate) == set(NAMES)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" not in certificate.read_bytes()


def test_a_certificate_that_serves_is_kept_so_that_nobody_is_asked_again(tmp_path: Path) -> None:
    before = development_certificate(tmp_path, NAMES, NOW)[0].read_bytes()
    again = development_certificate(tmp_path, NAMES[:2], NOW + LASTS - RENEWED_BEFORE - timedelta(days=1))[0]
    assert again.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "later"), [((*NAMES, "198.51.100.1"), timedelta(0)), (NAMES, LASTS - RENEWED_BEFORE + timedelta(days=1))]
)
def test_a_certificate_that_lacks_a_name_or_ends_soon_is_made_anew(
    tmp_path: Path, names: tuple[str, ...], later: timedelta
) -> None:
    before = development_certificate(tmp_path, NAMES, NOW)[0].read_bytes()
    after = development_certificate(tmp_path, names, NOW + later)[0]
    assert after.read_bytes() != before
    assert names_in(after) == set(names)


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    certificate, _ = development_certificate(tmp_path, NAMES, NOW)
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    assert names_in(development_certificate(tmp_path, NAMES, NOW)[0]) == set(NAMES)


def test_no_address_of_ours_is_loopback() -> None:
    assert not any(address.startswith("127.") for address in own_addresses())


@pytest.mark.parametrize(
    "wrong", [{"tls": "yes"}, {"tls_cert": "a.pem"}, {"tls": "dev", "tls_cert": "a", "tls_key": "b"}]
)
def test_half_a_certificate_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="tls"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_a_gateway_is_served_with_it(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, "--tls", "dev", "--synthesizer", "none", "--recognizer", "none")
    gateway.start()
    try:
        assert gateway.url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=tmp_path / "data" / "tls" / "development.pem")
        with urllib.request.urlopen(f"{gateway.url}/healthz", context=trusted, timeout=10) as answer:
            assert json.load(answer) == {"status": "ok"}
    finally:
        gateway.stop()
