"""The page shows who is here and what they do, in a real browser."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.browser import chromium, state, until
from tests.e2e.gateway import Gateway, gateway

pytestmark = [pytest.mark.browser, pytest.mark.process]

ANDROID: Final = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"

Two = tuple[Page, Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway"), "--synthesizer", "none", "--recognizer", "none") as running:
        yield running


@pytest.fixture
def two(browser: Browser, served: Gateway) -> Iterator[Two]:
    """A page, and one on another device in the same conversation."""
    with browser.new_context() as desk, browser.new_context(user_agent=ANDROID) as pocket:
        page, phone = desk.new_page(), pocket.new_page()
        page.goto(served.url)
        until(page, "s => s.connection === 'connected'")
        phone.goto(f"{served.url}/?session={state(page)['session']}")
        until(phone, "s => s.company.members.length === 2")
        yield page, phone


def test_each_page_shows_the_other_and_what_it_does(two: Two) -> None:
    page, phone = two
    people = page.get_by_role("list", name="Who is here").get_by_role("listitem")
    expect(people).to_have_text(["You", "Chrome on Android"])
    phone.get_by_label("Message").press_sequentially("Hello")
    expect(people).to_have_text(["You", "Chrome on Android typing…"])
    phone.keyboard.press("Enter")
    expect(people).to_have_text(["You", "Chrome on Android"])
    phone.get_by_label("Message").press_sequentially("x")
    expect(people).to_have_text(["You", "Chrome on Android typing…"])
    phone.keyboard.press("Backspace")
    expect(people).to_have_text(["You", "Chrome on Android"])


def test_a_page_that_is_reloaded_stays_and_one_that_is_closed_goes(two: Two) -> None:
    page, phone = two
    page.evaluate(
        "window.gone = 0; new MutationObserver(() => { if (document.getElementById('people').hidden) gone += 1; })"
        ".observe(document.getElementById('people'), { attributes: true })"
    )
    phone.reload()
    until(phone, "s => s.company.members.length === 2")
    assert page.evaluate("window.gone") == 0
    assert len(state(page)["company"]["members"]) == 2
    phone.close()
    until(page, "s => s.company.members.length === 1")
    expect(page.locator("#people")).to_be_hidden()
