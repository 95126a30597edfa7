"""A gateway that has as many calls as it takes: the page says so in words, and typing goes on."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.browser import CALLERS, chromium
from tests.e2e.gateway import gateway

pytestmark = [pytest.mark.browser, pytest.mark.process]


def test_the_page_says_that_there_is_no_place_for_a_call(tmp_path: Path) -> None:
    with gateway(tmp_path, "--max-calls", "1") as running, sync_playwright() as playwright:
        address = f"{running.url.replace('http', 'ws')}/v1/realtime?model=m"
        with (
            connect(address, subprotocols=[Subprotocol("realtime")]) as other,
            chromium(playwright, microphone=CALLERS / "stop.wav") as browser,
            browser.new_context(permissions=["microphone"]) as profile,
        ):
            other.recv(timeout=20)
            page = profile.new_page()
            page.goto(running.url)
            expect(page.locator("#connection")).to_have_text("Connected", timeout=20_000)
            page.get_by_role("button", name="Talk").click()
            expect(page.get_by_text("as many calls as it takes")).to_be_visible(timeout=20_000)
            page.get_by_label("Message").fill("what time is it")
            page.keyboard.press("Enter")
            expect(page.locator("#transcript > [data-role=assistant]")).to_contain_text("It is", timeout=20_000)
