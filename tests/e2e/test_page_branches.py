"""Editing, answering again and going back, on the page: with a mouse and with the keyboard alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.browser import chromium
from tests.e2e.gateway import Gateway, gateway
from tests.e2e.test_page import say, turns, visit

pytestmark = [pytest.mark.browser, pytest.mark.process]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def introduced(page: Page) -> None:
    """A name was told, and answered."""
    say(page, "my name is Ada")
    expect(turns(page, "assistant")).to_contain_text("Ada")
    expect(page.locator("#status")).to_have_text("Ready")


def test_a_message_is_edited_and_both_branches_are_there(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        introduced(page)
        turns(page, "user").hover()
        turns(page, "user").get_by_role("button", name="Edit").click()
        box = page.get_by_label("Say it otherwise")
        expect(box).to_have_value("my name is Ada")
        expect(box).to_be_focused()
        box.fill("my name is Grace")
        page.get_by_role("button", name="Save and answer").click()
        expect(turns(page, "assistant")).to_contain_text("Grace")
        expect(turns(page, "user")).to_have_count(1)
        expect(turns(page, "user").locator(".place")).to_have_text("2/2")
        turns(page, "user").get_by_role("button", name="Previous version").click()
        expect(turns(page, "assistant")).to_contain_text("Ada")
        expect(turns(page, "user").locator(".place")).to_have_text("1/2")
        page.reload()
        expect(turns(page, "assistant")).to_contain_text("Ada")
        expect(turns(page, "user").get_by_label("Version 1 of 2")).to_be_visible()


def test_an_answer_is_given_again_and_the_one_before_is_a_key_away(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        introduced(page)
        turns(page, "assistant").get_by_role("button", name="Answer again").focus()
        page.keyboard.press("Enter")
        expect(turns(page, "assistant").locator(".place")).to_have_text("2/2")
        turns(page, "assistant").get_by_role("button", name="Previous version").focus()
        page.keyboard.press("Enter")
        expect(turns(page, "assistant").locator(".place")).to_have_text("1/2")
        expect(turns(page, "assistant").get_by_role("button", name="Next version")).to_be_focused()
        page.keyboard.press("Enter")
        expect(turns(page, "assistant").locator(".place")).to_have_text("2/2")
        expect(turns(page, "assistant").get_by_role("button", name="Previous version")).to_be_focused()


def test_an_edit_is_given_up_by_escape_and_nothing_has_changed(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        introduced(page)
        turns(page, "user").get_by_role("button", name="Edit").focus()
        page.keyboard.press("Enter")
        page.keyboard.type("!")
        page.keyboard.press("Escape")
        expect(page.get_by_label("Say it otherwise")).to_have_count(0)
        expect(turns(page, "user").locator(".said")).to_have_text("my name is Ada")
        expect(turns(page, "user").get_by_role("button", name="Edit")).to_be_focused()
        expect(turns(page, "user").locator(".place")).to_be_hidden()


def test_two_pages_show_the_same_branch(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as one:
        introduced(one)
        session = one.evaluate("window.bargein.state.session")
        with visit(browser, f"{served.url}/?session={session}") as other:
            expect(turns(other, "assistant")).to_contain_text("Ada")
            turns(other, "user").get_by_role("button", name="Edit").focus()
            other.keyboard.press("Enter")
            other.get_by_label("Say it otherwise").fill("my name is Grace")
            other.keyboard.press("Enter")
            for page in (one, other):
                expect(turns(page, "user").locator(".said")).to_have_text("my name is Grace")
                expect(turns(page, "user").locator(".place")).to_have_text("2/2")
                expect(turns(page, "assistant")).to_contain_text("Grace")
