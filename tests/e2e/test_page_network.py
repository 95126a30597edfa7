"""The page when the network changes, or lets no UDP through: in a real browser, spoken to."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from tests.e2e.browser import chromium, record, state, until
from tests.e2e.gateway import Gateway, gateway
from tests.e2e.relay import Relay, host_of, moved
from tests.e2e.test_page import STORY, say, turns, visit

pytestmark = [pytest.mark.browser, pytest.mark.process]

CALLS: Final = "**/v1/realtime/calls**"
BY_SOCKET: Final = "Voice is on, by WebSocket: UDP does not get through."
DISCARD: Final = 9

NO_UDP: Final = """() => {
  const Real = RTCPeerConnection;
  window.udp = false;
  window.RTCPeerConnection = class extends Real {
    constructor(given) { super({ ...given, iceTransportPolicy: window.udp ? "all" : "relay" }); }
  };
}"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def quiet(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a microphone into which nobody speaks."""
    microphone = tmp_path_factory.mktemp("microphone") / "silence.wav"
    record(microphone, 1.0)
    with chromium(playwright, microphone) as running:
        yield running


def talk(page: Page) -> None:
    page.get_by_role("button", name="Talk", exact=True).click()


@pytest.mark.alone
def test_without_udp_the_conversation_is_spoken_by_websocket(
    playwright: Playwright, served: Gateway, tmp_path: Path
) -> None:
    """Asked by voice, heard, cut by voice, answered again; then UDP is there, and the call moves to it."""
    microphone = tmp_path / "caller.wav"
    record(microphone, 3.0, "ask_long_story", 7.0, "no_something_else", 60.0)
    with chromium(playwright, microphone) as talking, visit(talking, "about:blank") as page:
        page.add_init_script(f"({NO_UDP})()")
        page.goto(served.url)
        expect(page.locator("#connection")).to_have_text("Connected")
        session = state(page)["session"]
        talk(page)
        expect(page.locator("#mode")).to_have_text(BY_SOCKET)
        expect(turns(page, "user").first.locator(".said")).to_contain_text("tell me")
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        expect(turns(page, "assistant").first.locator("del")).not_to_be_empty()
        expect(turns(page, "assistant").first.locator(".heard")).not_to_be_empty()
        expect(turns(page, "user")).to_have_count(2)
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        page.keyboard.press("Escape")
        until(page, "s => s.status === 'listening' && s.levels.answer < 0.001")
        assert state(page)["via"] == "socket"
        page.evaluate("window.udp = true")
        page.get_by_role("button", name="Try WebRTC").click()
        until(page, "s => s.via === 'webrtc'")
        expect(page.locator("#mode")).to_have_text("Voice is on.")
        say(page, "count to thirty")
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        assert state(page)["session"] == session
        page.get_by_role("button", name="End talk").click()


def test_where_nothing_answers_by_udp_the_page_falls_to_the_websocket(quiet: Browser, served: Gateway) -> None:
    def to_nowhere(route: Route) -> None:
        answer = route.fetch()
        body = moved(answer.text(), DISCARD) if answer.status in (200, 201) and answer.text() else answer.text()
        route.fulfill(response=answer, body=body)

    with visit(quiet, served.url) as page:
        page.route(CALLS, to_nowhere)
        expect(page.locator("#connection")).to_have_text("Connected")
        talk(page)
        expect(page.locator("#mode")).to_have_text("Connecting the sound…")
        expect(page.locator("#mode")).to_have_text(BY_SOCKET)
        say(page, STORY)
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        assert state(page)["via"] == "socket"


def test_a_path_that_breaks_in_the_middle_of_an_answer_is_replaced(quiet: Browser, served: Gateway) -> None:
    relays: list[Relay] = []
    asked: list[str] = []

    def through_a_relay(route: Route) -> None:
        asked.append(route.request.url)
        answer = route.fetch()
        if route.request.method != "POST" or relays:
            route.fulfill(response=answer)
            return
        relays.append(Relay(host_of(answer.text())))
        route.fulfill(response=answer, body=moved(answer.text(), relays[0].port))

    with visit(quiet, served.url) as page:
        page.route(CALLS, through_a_relay)
        expect(page.locator("#connection")).to_have_text("Connected")
        talk(page)
        expect(page.locator("#mode")).to_have_text("Voice is on.")
        say(page, STORY)
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        with closing(relays[0]):
            relays[0].cut()
            until(page, "s => s.levels.answer < 0.001")
            until(page, "s => s.paths === 2 && s.via === 'webrtc' && s.levels.answer > 0.01 && !s.muted")
        assert "/calls/rtc_" in asked[1], "the call was not gone on with"
        assert [item["unheard"] for item in state(page)["items"] if item["role"] == "assistant"] == [None]
        assert "cut" not in state(page)["trail"]
        page.keyboard.press("Escape")
        until(page, "s => s.levels.answer < 0.001")


def test_another_network_means_another_peer_and_no_break(quiet: Browser, served: Gateway) -> None:
    with visit(quiet, served.url) as page:
        expect(page.locator("#connection")).to_have_text("Connected")
        talk(page)
        expect(page.locator("#mode")).to_have_text("Voice is on.")
        say(page, STORY)
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        page.evaluate("window.dispatchEvent(new Event('online'))")
        until(page, "s => s.paths === 2 && s.connection === 'connected' && s.levels.answer > 0.01 && !s.muted")
        assert "cut" not in state(page)["trail"]
        page.get_by_role("button", name="End talk").click()
        until(page, "s => s.call === 'off'")
