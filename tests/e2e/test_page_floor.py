"""A spoken answer goes from one page to another, in a real browser against a real gateway."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.browser import chromium, record, state, until
from tests.e2e.gateway import gateway
from tests.e2e.test_page import say, visit

pytestmark = [pytest.mark.browser, pytest.mark.process]


def test_a_button_brings_the_spoken_answer_to_this_page(tmp_path: Path) -> None:
    """Both pages are in a call; the answer sounds on one of them at a time, and nothing of it is cut."""
    microphone = tmp_path / "silence.wav"
    record(microphone, 90.0)
    with (
        sync_playwright() as playwright,
        gateway(tmp_path) as served,
        chromium(playwright, microphone) as browser,
        visit(browser, served.url) as laptop,
    ):
        expect(laptop.locator("#connection")).to_have_text("Connected")
        laptop.get_by_role("button", name="Talk", exact=True).click()
        expect(laptop.locator("#mode")).to_have_text("Voice is on.")
        until(laptop, "s => s.session !== null")
        link = f"{served.url}/?session={state(laptop)['session']}"
        with visit(browser, link) as phone:
            expect(phone.locator("#connection")).to_have_text("Connected")
            here = phone.get_by_role("button", name="Play here")
            expect(here).to_be_hidden()
            phone.get_by_role("button", name="Talk", exact=True).click()
            expect(here).to_be_visible()
            say(laptop, "Count to fifteen.")
            until(laptop, "s => s.levels.answer > 0.01")
            assert state(phone)["levels"]["answer"] < 0.01
            here.click()
            until(phone, "s => s.levels.answer > 0.01")
            expect(here).to_be_hidden()
            expect(laptop.get_by_role("button", name="Play here")).to_be_visible()
            until(laptop, "s => s.levels.answer < 0.01")
            assert state(phone)["holder"] == state(phone)["device"] != state(laptop)["device"]
            for page in (laptop, phone):
                until(page, "s => s.status === 'listening'", within_s=40)
                expect(page.locator("#transcript > [data-role=assistant] .heard").last).to_contain_text(
                    re.compile("fifteen")
                )
                assert "".join(page.locator("#transcript del").all_text_contents()) == ""
