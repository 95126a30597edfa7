"""``bargein token`` prints a token that the gateway takes, and nothing else."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.minting import claims_for
from gateway.auth.principal import principal_of
from gateway.auth.rights import names
from gateway.core.ids import SessionId, UserId
from tests.auth.keys import SECRET
from tests.test_settings import environment
from tests.transports.server import serving

SESSION = SessionId("sess_00a")


def told(*flags: str, **given: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "gateway.cli", "token", *flags)
    return subprocess.run(command, env=environment(**given), capture_output=True, text=True, timeout=20)


@pytest.mark.process
def test_a_token_of_the_command_lets_its_user_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    flags = ("--user", "ada", "--tenant", "acme", "--rights", "read,send", "--session", "ada:*", "--expires", "60")
    done = told(*flags, "--auth-secret-file", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    (token,) = done.stdout.splitlines()

    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path / "data", auth_secret=SECRET.decode()) as gateway:
            headers = {"Authorization": f"Bearer {token}"}
            async with gateway.socket(additional_headers=headers) as socket:
                created = (await socket.get("session.created"))["session"]["bargein"]
                assert (created["user"], created["rights"]) == ("ada", ["read", "send"])

    asyncio.run(main())


@pytest.mark.process
def test_what_is_wrong_is_a_sentence_without_the_secret(tmp_path: Path) -> None:
    config = tmp_path / "bargein.toml"
    config.write_text(f'auth_secret = "{SECRET.decode()}"\n')
    wrong: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("--user", "ada"), {}),
        (("--user", "ada"), {"BARGEIN_AUTH_SECRET": "canary-short"}),
        (("--user", "ada", "--rights", "fly"), {"BARGEIN_CONFIG": str(config)}),
        (("--user", "ada", "--expires", "0"), {"BARGEIN_CONFIG": str(config)}),
        (("--user", ""), {"BARGEIN_CONFIG": str(config)}),
    ]
    for flags, given in wrong:
        done = told(*flags, **given)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert "canary" not in done.stderr
    assert told("--user", "ada", BARGEIN_CONFIG=str(config)).returncode == 0


def claims(**changes: Any) -> dict[str, Any]:
    wanted = {"user": "ada", "tenant": "acme", "rights": ["read"], "sessions": ["*"], "lasts_s": 60, **changes}
    return claims_for(**wanted, token_id="t1", now=1000.9)


def test_the_claims_are_those_that_the_gateway_reads() -> None:
    principal = principal_of(claims(), 1000.0)
    assert (principal.tenant, principal.user, principal.token_ids) == ("acme", "ada", ("t1",))
    assert (principal.issued, principal.expires) == (1000, 1060)
    assert names(principal.rights_in(SESSION, UserId("bob"))) == ["read"]


@pytest.mark.parametrize("wrong", [{"rights": ["fly"]}, {"user": ""}, {"tenant": ""}, {"lasts_s": 0}])
def test_no_token_says_what_none_can_say(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"token|right"):
        claims(**wrong)
