"""@openai/agents-realtime in a real Chromium, over WebRTC, with a client secret as browsers get one."""

import json
import sys
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from playwright.sync_api import ConsoleMessage, Error, Route, sync_playwright

from tests.clients.drivers.kit import PATIENCE_S, Stage
from tests.e2e.browser import chromium

ORIGIN: Final = "http://stock.localhost"
"""Where the page says it comes from. Nobody listens there: what it asks for is answered from files."""

FILES: Final = Path(__file__).parents[1] / "node"
TYPES: Final = {".html": "text/html", ".mjs": "text/javascript", ".pcm": "application/octet-stream"}


def secret(stage: Stage) -> str:
    """What the operator's server would get for the page."""
    asked = Request(
        f"{stage.url}/v1/realtime/client_secrets",
        data=json.dumps({"session": {"type": "realtime"}}).encode(),
        headers={"Authorization": f"Bearer {stage.key}", "Content-Type": "application/json"},
    )
    with urlopen(asked, timeout=PATIENCE_S) as answer:
        return str(json.load(answer)["value"])


def main() -> None:
    """All cases."""
    stage = Stage()

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).lstrip("/") or "page.html"
        body = stage.clip(Path(path).stem) if path.startswith("clips/") else (FILES / path).read_bytes()
        route.fulfill(body=body, content_type=TYPES[Path(path).suffix])

    def tell(message: ConsoleMessage) -> None:
        known = message.text.startswith('{"case"')
        (sys.stdout if known else sys.stderr).write(f"{message.text}\n")
        sys.stdout.flush()

    def complain(error: Error) -> None:
        sys.stderr.write(f"{error}\n")

    with sync_playwright() as playwright, chromium(playwright) as browser:
        context = browser.new_context()
        context.grant_permissions(["local-network-access"], origin=ORIGIN)
        page = context.new_page()
        page.expose_function("keep", stage.keep)
        page.route(f"{ORIGIN}/**", serve)
        page.on("console", tell)
        page.on("pageerror", complain)
        page.goto(f"{ORIGIN}/")
        page.wait_for_function("globalThis.run !== undefined")
        page.evaluate("([url, secret]) => run(url, secret)", [stage.url, secret(stage)])


if __name__ == "__main__":
    main()
