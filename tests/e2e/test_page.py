"""The page, in a real browser against a real gateway: typed, spoken, interrupted, dropped and found again."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, WebSocketRoute, expect, sync_playwright

from tests.e2e.browser import chromium, record, state, until
from tests.e2e.gateway import Gateway, gateway

pytestmark = [pytest.mark.browser, pytest.mark.process]

STORY: Final = "tell me a long story"
WAIT_MS: Final = 20_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@contextmanager
def visit(browser: Browser, url: str, *, complaints: bool = False, **context: Any) -> Iterator[Page]:
    """A page at *url* with a profile of its own. It must not complain on its console, unless *complaints*."""
    told: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            told.append(message.text)

    with browser.new_context(**context) as profile:
        page = profile.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(url)
        yield page
    assert complaints or not told


def say(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.keyboard.press("Enter")


def turns(page: Page, role: str) -> Any:
    return page.locator(f"#transcript > [data-role={role}]")


def status(page: Page) -> Any:
    return page.locator("#status")


def words_shown(page: Page, count: int) -> None:
    """Wait until the last answer has so many characters, and goes on."""
    until(page, f"s => s.items.at(-1)?.role === 'assistant' && s.items.at(-1).text.length > {count}")


# --- typed ---


def test_a_typed_conversation_needs_no_microphone(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        expect(page.locator("#connection")).to_have_text("Connected")
        expect(page.locator("#about")).to_contain_text("demo quality")
        say(page, "my name is <b>Ada</b>")
        expect(turns(page, "assistant")).to_contain_text("Nice to meet you")
        expect(turns(page, "user").locator(".said")).to_have_text("my name is <b>Ada</b>")
        expect(page.locator("#transcript b")).to_have_count(0)
        expect(status(page)).to_have_text("Ready")
        expect(page.locator("#mode")).to_have_text("Text only until you press Talk.")


def test_what_is_typed_interrupts_what_is_being_written(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        page.get_by_role("button", name="Tell me a long story").click()
        words_shown(page, 60)
        say(page, "what time is it")
        expect(turns(page, "assistant")).to_have_count(2)
        expect(turns(page, "assistant").first.locator(".mark")).to_have_text("Interrupted")
        expect(turns(page, "assistant").last).to_contain_text("It is")
        expect(status(page)).to_have_text("Ready")
        assert "cut" in state(page)["trail"]


@pytest.mark.parametrize("how", ["button", "escape"])
def test_an_answer_can_be_stopped(browser: Browser, served: Gateway, how: str) -> None:
    with visit(browser, served.url) as page:
        say(page, STORY)
        words_shown(page, 40)
        if how == "button":
            page.get_by_role("button", name="Stop").click()
        else:
            page.keyboard.press("Escape")
        expect(turns(page, "assistant").locator(".mark")).to_have_text("Interrupted")
        expect(status(page)).to_have_text("Ready")
        expect(page.get_by_role("button", name="Stop")).to_have_attribute("aria-disabled", "true")


def test_everything_can_be_reached_by_keyboard(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        expect(page.locator("#connection")).to_have_text("Connected")
        order = [_tab(page) for _ in range(10)]
        said = ["Tell me a long story.", "Count to thirty.", "What time is it?"]
        assert order == ["link", "fresh", "scroll", *said, "talk", "stop", "text", "send"]
        page.keyboard.press("Shift+Tab")
        page.keyboard.type(STORY)
        page.keyboard.press("Enter")
        words_shown(page, 40)
        page.keyboard.press("Shift+Tab")
        assert _focused(page) == "stop"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Space")
        expect(turns(page, "assistant").locator(".mark")).to_have_text("Interrupted")


def _tab(page: Page) -> str:
    page.keyboard.press("Tab")
    return _focused(page)


def _focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.dataset.say ?? document.activeElement.id")
    return found


def test_two_windows_are_one_conversation(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as one:
        say(one, "my name is Ada")
        expect(turns(one, "assistant")).to_contain_text("Nice to meet you")
        session = state(one)["session"]
        with visit(browser, f"{served.url}/?session={session}") as other:
            expect(turns(other, "user").locator(".who")).to_have_text("You, typed on another device")
            say(other, "what is my name")
            expect(turns(one, "assistant").last).to_contain_text("Your name is Ada")
            expect(turns(one, "user").last.locator(".who")).to_have_text("You, typed on another device")
            texts = [[item["text"] for item in state(page)["items"]] for page in (one, other)]
            assert texts[0] == texts[1]


def test_a_refused_command_is_told_and_can_be_dismissed(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        page.get_by_label("Message").evaluate("box => box.removeAttribute('maxlength')")
        say(page, "x" * 66_000)
        expect(page.get_by_role("alert")).to_contain_text("event_too_large")
        expect(turns(page, "user")).to_have_count(0)
        page.get_by_role("button", name="Dismiss").click()
        expect(page.get_by_role("alert")).to_have_count(0)


# --- without a microphone, or without a voice ---


def test_without_a_microphone_it_says_so_and_text_goes_on(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url, permissions=["microphone"]) as page:
        page.get_by_role("button", name="Talk", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("No microphone was found")
        expect(page.get_by_role("alert")).to_contain_text("microphone_missing")
        say(page, "what time is it")
        expect(turns(page, "assistant")).to_contain_text("It is")


# --- dropped, and found again ---


def test_a_reload_keeps_the_conversation(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        say(page, STORY)
        words_shown(page, 40)
        page.reload()
        expect(turns(page, "user").locator(".said")).to_have_text(STORY)
        words_shown(page, 200)
        page.keyboard.press("Escape")
        expect(turns(page, "assistant").locator(".mark")).to_have_text("Interrupted")
        page.get_by_role("button", name="New conversation").click()
        expect(page.locator("#transcript > *")).to_have_count(0)
        expect(page.get_by_role("heading", name="Talk, and interrupt")).to_be_visible()


def test_nothing_is_lost_or_doubled_by_a_drop_in_the_middle_of_an_answer(browser: Browser, served: Gateway) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    with browser.new_context() as profile:
        page = profile.new_page()
        page.route_web_socket("**/v1/realtime?*", pass_on)
        page.goto(served.url)
        say(page, "count to thirty")
        words_shown(page, 40)
        sockets[0].close(code=1011)
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
        say(page, "what time is it")  # it is kept, and sent once there is a connection
        expect(turns(page, "user").last.locator(".mark")).to_have_text("Not sent yet")
        expect(turns(page, "assistant")).to_have_count(2)
        expect(turns(page, "assistant").last).to_contain_text("It is")
        expect(status(page)).to_have_text("Ready")
        assert len(sockets) == 2
        assert "resume=" in sockets[1].url
        shown = state(page)
    assert [item["role"] for item in shown["items"]] == ["user", "assistant", "user", "assistant"]
    assert [item["text"] for item in shown["items"]] == _kept(served, shown["session"])


def _kept(served: Gateway, session: str) -> list[str]:
    """The texts of the conversation as the gateway has it."""
    with urlopen(f"{served.url}/v1/sessions/{session}/items") as response:
        items = json.load(response)["items"]
    return ["".join(part.get("text") or part.get("transcript") or "" for part in item["content"]) for item in items]


def test_a_gateway_that_was_killed_is_rejoined(browser: Browser, tmp_path: Path) -> None:
    with (
        gateway(tmp_path, "--synthesizer", "none", "--recognizer", "none") as fragile,
        visit(browser, fragile.url, complaints=True) as page,
    ):
        expect(page.locator("#mode")).to_contain_text("This gateway serves text alone")
        expect(page.get_by_role("button", name="Talk", exact=True)).to_be_disabled()
        say(page, STORY)
        words_shown(page, 80)
        fragile.kill()
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
        fragile.start()
        expect(page.locator("#connection")).to_have_text("Connected")
        expect(turns(page, "user").locator(".said")).to_have_text(STORY)
        expect(turns(page, "assistant")).to_have_attribute("data-state", "done")
        expect(turns(page, "assistant").locator(".mark")).to_contain_text("Broken off")
        expect(status(page)).to_have_text("Ready")
        say(page, "go on")
        expect(turns(page, "assistant").last).to_contain_text("Going on")


# --- the page's own rules, asked in the browser ---


def test_what_is_told_twice_is_shown_once(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        texts = page.evaluate(
            """async () => {
              const { EMPTY, reduce } = await import("/web/conversation.js");
              const item = { id: "i", role: "assistant", status: "in_progress", content: [] };
              const delta = (offset, delta) => ({ type: "response.output_text.delta", item_id: "i", offset, delta });
              const events = [
                { type: "conversation.item.added", item, previous_item_id: null },
                delta(0, "👍 o"), delta(3, "ne"), delta(3, "ne"),
                { type: "conversation.item.added", item, previous_item_id: null },
                delta(0, "👍 one two"), delta(9, "!"),
              ];
              let state = EMPTY;
              return events.map((event) => {
                state = reduce(state, event);
                return state.items.map((one) => one.text).join("|");
              });
            }"""
        )
    assert texts == ["", "👍 o", "👍 one", "👍 one", "👍 one", "👍 one two", "👍 one two!"]


def test_the_floor_is_told_as_the_gateway_tells_it(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        told = page.evaluate(
            """async () => {
              const { QUIET, follow, orderFor, statusOf } = await import("/web/floor.js");
              const response = { id: "r", output_modalities: ["audio"], status: "cancelled" };
              const [input, output] = ["input_audio_buffer.", "output_audio_buffer."];
              let floor = QUIET;
              return [
                { type: "local.call", live: true }, { type: "response.created", response },
                { type: output + "started", response_id: "r" },
                { type: input + "speech_suspected" }, { type: output + "paused", response_id: "r" },
                { type: input + "speech_dismissed" }, { type: output + "resumed", response_id: "r" },
                { type: input + "speech_suspected" }, { type: output + "paused", response_id: "r" },
                { type: input + "speech_confirmed" }, { type: input + "speech_started", item_id: "i" },
                { type: output + "cleared", response_id: "r" }, { type: "response.done", response },
                { type: input + "speech_stopped", item_id: "i" },
                { type: "conversation.item.input_audio_transcription.completed", item_id: "i", transcript: "no" },
              ].map((event) => {
                floor = follow(floor, event);
                return [event.type.split(".").at(-1), statusOf(floor), orderFor(event), floor.note.kind];
              });
            }"""
        )
    assert told == [
        ["call", "listening", None, None],
        ["created", "thinking", None, None],
        ["started", "speaking", "unmute", None],
        ["speech_suspected", "suspected", None, None],
        ["paused", "suspected", "mute", None],
        ["speech_dismissed", "suspected", None, "resumed"],
        ["resumed", "speaking", "unmute", "resumed"],
        ["speech_suspected", "suspected", None, "resumed"],
        ["paused", "suspected", "mute", "resumed"],
        ["speech_confirmed", "confirmed", None, "resumed"],
        ["speech_started", "hearing", "mute", "resumed"],
        ["cleared", "hearing", "mute", "resumed"],
        ["done", "hearing", None, "cut"],
        ["speech_stopped", "understanding", None, "cut"],
        ["completed", "listening", None, "cut"],
    ]


def test_of_two_connections_the_first_to_speak_is_believed(browser: Browser, served: Gateway) -> None:
    with visit(browser, served.url) as page:
        first = page.evaluate(
            """async () => {
              const { FirstSaid } = await import("/web/floor.js");
              const said = new FirstSaid();
              const first = (words) => words.split(" ").map((word) => {
                const [source, type] = word.split(":");
                return said.isFirst(source, { type, response_id: "r" });
              });
              said.joined("socket");
              const alone = first("socket:paused");
              said.joined("call");
              const both = first("call:resumed call:paused socket:resumed socket:paused");
              const missed = first("socket:resumed socket:cleared call:cleared call:resumed");
              said.left("call");
              return [alone, both, missed, first("socket:resumed")];
            }"""
        )
    assert first == [[True], [True, True, False, False], [True, True, False, True], [False]]


# --- who may come in ---

_KNOCK: Final = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url, "bargein.v1");
  socket.onopen = () => resolve("open");
  socket.onclose = (event) => resolve(event.code);
})"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><link rel=icon href=data:,>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def elsewhere() -> Iterator[str]:
    """The origin of another page on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_foreign_page_cannot_open_the_socket(browser: Browser, served: Gateway) -> None:
    socket_url = f"{served.url.replace('http', 'ws', 1)}/v1/realtime"
    with visit(browser, served.url) as own:
        assert own.evaluate(_KNOCK, socket_url) == "open"
    with elsewhere() as origin, visit(browser, origin, complaints=True) as foreign:
        assert foreign.evaluate(_KNOCK, socket_url) == 1006


# --- spoken ---


def test_a_gateway_with_a_token_asks_for_it_and_keeps_it_out_of_the_address(browser: Browser, tmp_path: Path) -> None:
    quiet = ("--synthesizer", "none", "--recognizer", "none")
    with gateway(tmp_path, "--token", "sesame-1", *quiet) as guarded:
        with visit(browser, guarded.url, complaints=True) as page:
            expect(page.locator("#connection")).to_contain_text("token")
        with visit(browser, f"{guarded.url}/#token=sesame-1") as page:
            say(page, "what time is it")
            expect(turns(page, "assistant")).to_have_count(1)
            assert "sesame" not in page.url


def test_what_a_page_buffers_is_the_mean_of_what_it_played_since_it_last_looked(
    browser: Browser, served: Gateway
) -> None:
    with visit(browser, served.url) as page:
        figures = page.evaluate("""async () => {
          const { bufferedMs } = await import("/web/playback.js");
          const stats = (delay, count) => ({ jitterBufferDelay: delay, jitterBufferEmittedCount: count });
          return [
            bufferedMs(stats(0, 0), stats(4800, 48000), 0),
            bufferedMs(stats(4800, 48000), stats(7200, 96000), 0.02),
            bufferedMs(stats(4800, 48000), stats(4800, 48000), 0),
            bufferedMs(stats(0, 0), stats(480000, 48000), 0),
          ];
        }""")
    assert figures == [100, 70, None, None]


@pytest.mark.alone
def test_talking_over_the_answer_cuts_it(playwright: Playwright, served: Gateway, tmp_path: Path) -> None:
    """The browser asks for a story by voice, hears an answer, and asks for another one over it.

    What the demo recogniser makes of the questions varies with the browser's noise suppression.
    """
    microphone = tmp_path / "caller.wav"
    record(microphone, 3.0, "ask_long_story", 7.0, "no_something_else", 30.0)
    with chromium(playwright, microphone) as talking, visit(talking, served.url) as page:
        expect(page.locator("#connection")).to_have_text("Connected")
        page.evaluate(_WATCH)
        page.evaluate(_REPORTS)
        page.get_by_role("button", name="Talk", exact=True).click()
        expect(page.locator("#mode")).to_have_text("Voice is on.")
        expect(turns(page, "user").first.locator(".who")).to_have_text("You, by voice")
        expect(turns(page, "user").first.locator(".said")).to_contain_text("tell me")
        expect(turns(page, "assistant").first.locator("del")).not_to_be_empty()
        expect(turns(page, "assistant").first.locator(".heard")).not_to_be_empty()
        expect(turns(page, "user").nth(1).locator(".said")).to_contain_text(re.compile("tell me|mountains"))
        expect(turns(page, "assistant").nth(1).locator(".heard")).not_to_be_empty()
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01")
        page.get_by_role("button", name="End talk").click()
        expect(page.locator("#mode")).to_have_text("Text only until you press Talk.")
        seen, buffered = page.evaluate("window.seen"), page.evaluate("window.buffered")
    _check_silence(seen)
    assert buffered, "the page did not say how far behind it plays"
    assert all(0 <= ms <= 5_000 for ms in buffered)


def test_a_call_is_offered_anew_to_a_gateway_that_was_killed(playwright: Playwright, tmp_path: Path) -> None:
    microphone = tmp_path / "silence.wav"
    record(microphone, 1.0)
    with (
        gateway(tmp_path) as fragile,
        chromium(playwright, microphone) as talking,
        visit(talking, fragile.url, complaints=True) as page,
    ):
        page.get_by_role("button", name="Talk", exact=True).click()
        expect(page.locator("#mode")).to_have_text("Voice is on.")
        say(page, STORY)
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        fragile.kill()
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
        fragile.start()
        expect(turns(page, "assistant").locator(".mark")).to_contain_text("Broken off")
        until(page, "s => s.call === 'live' && s.paths > 1")
        say(page, "count to thirty")
        until(page, "s => s.status === 'speaking' && s.levels.answer > 0.01 && !s.muted")
        page.keyboard.press("Escape")
        until(page, "s => s.muted && s.levels.answer < 0.001")
        expect(turns(page, "assistant").last.locator(".mark")).to_contain_text("Interrupted")
        expect(turns(page, "assistant").last.locator("del")).not_to_be_empty()


_REPORTS: Final = """() => {
  window.buffered = [];
  const send = RTCDataChannel.prototype.send;
  RTCDataChannel.prototype.send = function (data) {
    const event = JSON.parse(data);
    if (event.type === "playback.report") window.buffered.push(event.buffered_ms);
    return send.call(this, data);
  };
}"""

_WATCH: Final = """() => {
  window.seen = [];
  setInterval(() => {
    const { status, muted, levels } = window.bargein.state;
    window.seen.push({ status, muted, level: levels.answer });
  }, 20);
}"""


def _check_silence(seen: list[dict[str, Any]]) -> None:
    """The answer sounded, then fell silent with the loudspeaker muted, then sounded again."""
    loud = [index for index, one in enumerate(seen) if one["level"] > 0.01 and not one["muted"]]
    assert loud, "nothing was heard of the answer"
    hearing = [index for index, one in enumerate(seen) if one["status"] == "hearing" and index > loud[0]]
    assert hearing, "the caller never had the floor"
    begin, end = hearing[0], hearing[-1]
    assert all(one["muted"] for one in seen[begin : end + 1])
    assert min(one["level"] for one in seen[begin : end + 1]) < 0.001, "what arrived was not silent"
    assert any(index > end for index in loud), "no second answer was heard"
