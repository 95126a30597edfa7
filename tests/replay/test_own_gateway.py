"""A gateway started for one replay: its URL is found, and it is gone afterwards, whatever it does."""

import asyncio
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.replay.errors import ReplayError
from gateway.replay.own_gateway import own_gateway, usual_gateway


class Site(BaseHTTPRequestHandler):
    """Answers ``/readyz`` as a gateway does, or as something else."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.parametrize(("body", "found"), [(b'{"status":"ready","agent":"offline"}', True), (b"<html>", False)])
def test_a_gateway_at_the_usual_address_is_told_from_anything_else(body: bytes, found: bool) -> None:
    with HTTPServer(("127.0.0.1", 0), type("Said", (Site,), {"body": body})) as site:
        serving = threading.Thread(target=site.handle_request)
        serving.start()
        url = f"http://127.0.0.1:{site.server_port}"
        assert asyncio.run(usual_gateway(url)) == (url if found else None)
        serving.join()


def test_where_nobody_listens_there_is_no_gateway() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert asyncio.run(usual_gateway(f"http://127.0.0.1:{port}")) is None


LISTENS = """
import os, sys, time
print("a word before", flush=True)
print(f"listening on http://127.0.0.1:{os.getpid()}", flush=True)
"""
WAITS = LISTENS + "time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITS
CHATTY = LISTENS + "print('x' * 1_000_000, flush=True); print('y' * 1_000_000, file=sys.stderr, flush=True)"
FAILS = "import sys; print('Traceback', file=sys.stderr); sys.exit('bargein: Setting port is wrong.')"


def start(program: str) -> int:
    """Run *program* as a gateway, stop it, and return its process id."""

    async def main() -> int:
        async with own_gateway((sys.executable, "-c", program), stop_timeout_s=0.2) as url:
            return int(url.rpartition(":")[2])

    return asyncio.run(main())


@pytest.mark.parametrize("program", [LISTENS, WAITS, STUBBORN, CHATTY])
def test_a_gateway_is_gone_after_its_replay(program: str) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(start(program), 0)


def test_a_gateway_that_does_not_start_is_quoted() -> None:
    with pytest.raises(ReplayError, match=r"Setting port is wrong\.$") as refused:
        start(FAILS)
    assert refused.value.code == "gateway_did_not_start"


def test_a_gateway_that_ends_without_a_word_is_told_so() -> None:
    with pytest.raises(ReplayError, match=r"it said nothing\.$"):
        start("")


def test_a_gateway_is_given_a_folder_for_its_data_that_is_removed() -> None:
    program = "import os, sys; os.mkdir(sys.argv[1]); print(f'listening on {sys.argv[1]}', flush=True)"

    async def main() -> str:
        async with own_gateway((sys.executable, "-c", program)) as folder:
            assert os.path.isdir(folder)  # noqa: ASYNC240  # nothing else runs in this loop
            return folder

    assert not os.path.exists(asyncio.run(main()))
