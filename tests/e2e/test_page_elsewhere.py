"""A second device finds its way from the page, over TLS as a phone needs it."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from gateway.transports.links import drawn
from tests.e2e.browser import chromium, state, until
from tests.e2e.gateway import Gateway, gateway

pytestmark = [pytest.mark.browser, pytest.mark.process]

LAN: Final = "https://192.0.2.7:8443"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that is served with a certificate of its own."""
    with gateway(tmp_path_factory.mktemp("gateway"), "--tls", "dev") as running:
        yield running


@pytest.fixture
def page(browser: Browser, served: Gateway) -> Iterator[Page]:
    with browser.new_context(ignore_https_errors=True) as profile:
        page = profile.new_page()
        page.goto(served.url)
        until(page, "s => s.connection === 'connected'")
        yield page


def test_the_page_works_over_tls_and_may_have_the_microphone(page: Page) -> None:
    assert page.url.startswith("https://")
    assert page.evaluate("isSecureContext && 'mediaDevices' in navigator")
    page.get_by_label("Message").fill("hello")
    page.keyboard.press("Enter")
    expect(page.locator("#transcript > [data-role=assistant]")).to_have_count(1)


def test_who_is_reached_by_this_machine_alone_is_told_how_to_open_the_gateway(page: Page) -> None:
    page.get_by_role("button", name="Other device").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("--tls dev")
    expect(dialog.locator("code")).to_have_text(f"{page.url.partition('?')[0]}?session={state(page)['session']}")
    expect(dialog.locator("svg")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_code_leads_a_camera_to_the_conversation(page: Page) -> None:
    url = f"{LAN}/?session={state(page)['session']}"

    def answer(route: Route) -> None:
        route.fulfill(json={"url": url, "svg": drawn(url)})

    page.route("**/v1/sessions/*/link", answer)
    page.get_by_role("button", name="Other device").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("code")).to_have_text(url)
    box = dialog.get_by_role("img", name="QR code of the address").bounding_box()
    assert box is not None
    assert box["width"] == box["height"] >= 200
