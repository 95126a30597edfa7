"""A model server that repeats whatever it is sent: keys, words, addresses, in headers and in bodies, as bad proxies do.

What it does with a question is in the user's last words: a status to refuse it with, or one of the names below.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

FAULTS: Final = ("400", "401", "403", "404", "429", "500", "503", "stream", "broken", "page")
"""``stream`` fails in mid-stream, ``broken`` sends what is no JSON there, ``page`` answers with one in HTML."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        said = f"{self.headers} {body.decode('utf-8', 'replace')}"
        self.server.seen.append(said)  # type: ignore[attr-defined]  # the server below
        asked = json.loads(body)["messages"][-1]["content"].split()[-1] if self.path.endswith("completions") else "401"
        match asked:
            case "stream":
                self._answer(200, f"{_chunk()}data: {_error(said)}\n\n", "text/event-stream")
            case "broken":
                self._answer(200, f"{_chunk()}data: {{{said!r}\n\n", "text/event-stream")
            case "page":
                self._answer(200, f"<html>{said}</html>", "text/html")
            case "answer":
                self._answer(200, f"{_chunk('stop')}data: [DONE]\n\n", "text/event-stream")
            case status:
                self._answer(int(status), _error(said), "application/json")

    def do_GET(self) -> None:
        """Refuse a WebSocket."""
        said = f"{self.path} {self.headers}"
        self.server.seen.append(said)  # type: ignore[attr-defined]  # the server below
        self._answer(401, _error(said), "application/json")

    def _answer(self, status: int, text: str, kind: str) -> None:
        content = text.encode()
        key = self.headers.get("authorization", "")
        self.send_response(status, f"Refused {key}")
        for name, value in (("content-type", kind), ("content-length", len(content)), ("x-key", key)):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _error(said: str) -> str:
    return json.dumps({"error": {"message": said, "type": said, "code": said, "param": said}})


def _chunk(finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": "Well."}, "finish_reason": finish_reason}
    chunk = {"id": "0", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


@contextmanager
def parrot() -> Iterator[tuple[str, list[str]]]:
    """Its base URL, and everything it was sent."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        seen: list[str] = []
        server.seen = seen  # type: ignore[attr-defined]  # read by the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", seen
        finally:
            server.shutdown()
            thread.join()
