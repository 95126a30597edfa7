"""Calls through a real TURN server, coturn, on this machine."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.transports.network import Network, Turn
from media.peer import Peer
from tests.media.calls import LIMIT_S, Listener, mute, nothing_runs, play
from tests.media.test_ports import candidates, free

SECRET = "not-a-real-secret"
_FLAGS = (
    *("-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--realm", "bargein", "--use-auth-secret"),
    *("--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--log-file", "stdout", "--simple-log"),
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="coturn is not installed"),
]


@asynccontextmanager
async def turn_server(folder: Path) -> AsyncIterator[str]:
    """The address of a server that lets in who knows :data:`SECRET`."""
    port, first, *_, last = free(20)
    ports = ("--listening-port", str(port), "--min-port", str(first), "--max-port", str(last))
    server = await asyncio.create_subprocess_exec(
        *("turnserver", *_FLAGS, *ports, "--static-auth-secret", SECRET, "--pidfile", str(folder / "pid")),
        *("--userdb", str(folder / "turndb")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert server.stdout is not None, "it was asked for as a pipe"
    try:
        while b"(admin thread)" not in await server.stdout.readline():  # the last thing that it starts
            assert server.returncode is None, "coturn did not start"
        yield f"turn:127.0.0.1:{port}?transport=udp"
    finally:
        server.kill()
        await server.communicate()


def relayed(description: str) -> str:
    """A description whose only candidates are a relay's."""
    lines = description.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("a=candidate:") or " typ relay" in line)


@pytest.mark.parametrize("secret", [SECRET, "wrong"])
def test_a_call_goes_through_a_relay_that_knows_the_secret(tmp_path: Path, secret: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(LIMIT_S), turn_server(tmp_path) as url:
            options = Network(turn=Turn((url,), secret=secret)).options(2_000_000_000.0)
            options = replace(options, private_candidates=True)  # the relay is on this machine
            ears = Listener()
            caller = await Peer.offer(ears, mute, options)
            gateway = await Peer.accept(relayed(caller.offer_sdp), Listener(), mute, options)
            found = candidates(relayed(gateway.answer_sdp))
            assert bool(found) == (secret == SECRET)
            if found:
                await caller.connect(relayed(gateway.answer_sdp))
                await ears.hear(5)
                pairs = gateway._transceiver.receiver.transport.transport._connection._nominated.values()
                assert [pair.local_candidate.type for pair in pairs] == ["relay"]
            await caller.close()
            await gateway.close()
            await nothing_runs()

    play(main)
