"""What is served is described, and what is described is served."""

import asyncio
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.routing import Route

from gateway.transports.openapi import openapi
from gateway.transports.operations import Operation
from gateway.transports.routes import OPERATIONS
from tests.protocol.examples import CLIENT_EVENTS, SERVER_EVENTS
from tests.transports.server import serving

PAGE = json.loads(json.dumps(openapi(OPERATIONS, secured=False)))
LOCKED = json.loads(json.dumps(openapi(OPERATIONS, secured=True)))


def test_every_route_is_described(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            served = {route.path for route in gateway.app.routes if isinstance(route, Route)}
            answer = await gateway.http("GET", "/openapi.json")
            assert answer.headers["content-type"] == "application/json"
            assert answer.json == PAGE
            assert set(PAGE["paths"]) == served
            for path, described in PAGE["paths"].items():
                allowed = (await gateway.http("OPTIONS", path.replace("{", "x").replace("}", "x"))).headers["allow"]
                known = {method.lower() for method in allowed.split(", ")} - {"options", "head"}
                assert known == set(described)

    asyncio.run(main())


def test_every_reference_leads_somewhere_and_every_name_is_unique() -> None:
    text = json.dumps(PAGE)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in PAGE["components"]["schemas"]
    names = re.findall(r'"operationId": "([^"]+)"', text)
    assert len(set(names)) == len(names) == len(OPERATIONS)


def test_parameters_of_a_path_are_those_in_it() -> None:
    for operation in OPERATIONS:
        named = {each.name for each in operation.parameters if each.where == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", operation.path)), operation.path


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda it: f"{it.method} {it.path}")
def test_what_needs_a_token_says_so(tmp_path: Path, operation: Operation) -> None:
    described = LOCKED["paths"][operation.path][operation.method.lower()]
    assert ("401" in described["responses"]) == ("security" in described) == (not operation.open)


def test_what_needs_a_token_is_refused_without(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, token="k3y") as gateway:
            assert (await gateway.http("GET", "/openapi.json")).json == LOCKED
            for operation in OPERATIONS:
                answer = await gateway.http(operation.method, operation.path.replace("{", "x").replace("}", "x"))
                assert (answer.status == 401) == (not operation.open), operation.path

    asyncio.run(main())


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_names_everything_and_loads_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http("GET", "/docs")
            text = answer.body.decode()
            for operation in OPERATIONS:
                assert f"<code>{operation.method} {operation.path}</code>" in text
            for kind in (*CLIENT_EVENTS, *SERVER_EVENTS):
                assert f"<code>{kind}" in text
            tags = _Tags()
            tags.feed(text)
            assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags.found}
            assert all("style" not in attributes for _, attributes in tags.found)
            assert {it["href"] for tag, it in tags.found if tag == "a"} == {"openapi.json", "asyncapi.json"}
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert (await gateway.http("GET", "/asyncapi.json")).json["asyncapi"] == "3.0.0"

    asyncio.run(main())
