"""``/docs``, ``/openapi.json`` and ``/asyncapi.json``: what may be asked, made of the code that answers."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.protocol.asyncapi import asyncapi
from gateway.transports.openapi import openapi
from gateway.transports.operations import Operation

Json = dict[str, Any]

STYLE: Final = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
summary { cursor: pointer; padding: .3rem 0; }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem; }
pre { overflow-x: auto; padding: .5rem; border: 1px solid #8886; border-radius: .3rem; }
table { border-collapse: collapse; }
td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
""".strip()

_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; frame-ancestors 'none'"


class Documents:
    """The two documents and their page, each made when it is first asked for."""

    def __init__(self, operations: Sequence[Operation], *, secured: bool) -> None:
        self._operations = operations
        self._secured = secured

    @cached_property
    def openapi(self) -> bytes:
        """OpenAPI 3.1, as JSON."""
        return msgspec.json.encode(openapi(self._operations, secured=self._secured))

    @cached_property
    def asyncapi(self) -> bytes:
        """AsyncAPI 3.0, as JSON."""
        return msgspec.json.encode(asyncapi())

    @cached_property
    def page(self) -> str:
        """Both for people, as HTML without any script."""
        routes: Json = msgspec.json.decode(self.openapi)
        events: Json = msgspec.json.decode(self.asyncapi)
        return "\n".join(
            [
                f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Bargein</title><style>{STYLE}</style>',
                '<meta name="viewport" content="width=device-width">',
                '<h1>Bargein</h1><p>For programs: <a href="openapi.json">openapi.json</a>,',
                '<a href="asyncapi.json">asyncapi.json</a>.</p><h2>Routes</h2>',
                *(_route(operation, routes) for operation in self._operations),
                "<h2>Events</h2><p>By WebSocket, data channel and event stream. * belongs to the extension.</p>",
                *(_event(message, events) for message in events["components"]["messages"].values()),
                "<h2>Objects</h2>",
                *(_object(name, schema) for name, schema in _objects(routes, events)),
            ]
        )


def _route(operation: Operation, document: Json) -> str:
    described = document["paths"][operation.path][operation.method.lower()]
    rows = [(each["name"], f"{each['in']}: {each['description']}") for each in described["parameters"]]
    rows += [(media, _shown(it["schema"])) for media, it in described.get("requestBody", {}).get("content", {}).items()]
    rows += [(status, _answered(answer)) for status, answer in described["responses"].items()]
    head = f"<code>{operation.method} {escape(operation.path)}</code> {escape(operation.summary)}"
    return f"<details><summary>{head}</summary>{_table(rows)}</details>"


def _answered(answer: Json) -> str:
    content = [f"{media} {_shown(it['schema'])}".strip() for media, it in answer.get("content", {}).items()]
    return " · ".join([answer["description"], *content])


def _shown(schema: Json) -> str:
    """The names of the types in a schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return ", ".join(filter(None, (_shown(each) for each in schema.get("anyOf", ()))))


def _event(message: Json, document: Json) -> str:
    schema = document["components"]["schemas"][message["title"]]
    mark = " *" if message["x-extension"] else ""
    return _object(f"{message['name']}{mark}", schema)


def _objects(*documents: Json) -> list[tuple[str, Json]]:
    """What the events and bodies are made of, and is none itself."""
    found = {name: schema for document in documents for name, schema in document["components"]["schemas"].items()}
    events = {message["title"] for message in documents[-1]["components"]["messages"].values()}
    return sorted((name, schema) for name, schema in found.items() if name not in events)


def _object(name: str, schema: Json) -> str:
    body = escape(msgspec.json.format(msgspec.json.encode(schema)).decode())
    return f"<details><summary><code>{escape(name)}</code></summary><pre>{body}</pre></details>"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(about)}" for name, about in rows)
    return f"<table>{cells}</table>"


async def page(request: Request) -> Response:
    """The page."""
    documents: Documents = request.app.state.documents
    return HTMLResponse(documents.page, headers={"Content-Security-Policy": POLICY})


async def routes(request: Request) -> Response:
    """OpenAPI."""
    documents: Documents = request.app.state.documents
    return Response(documents.openapi, media_type="application/json")


async def events(request: Request) -> Response:
    """AsyncAPI."""
    documents: Documents = request.app.state.documents
    return Response(documents.asyncapi, media_type="application/json")
