"""The browser's client in a real browser: the scripts that the Python client follows too, and a live gateway."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.client.scripts import NAMES, script
from tests.e2e.browser import chromium
from tests.e2e.gateway import Gateway, gateway
from tests.e2e.test_page import elsewhere

pytestmark = [pytest.mark.browser, pytest.mark.process]

PERFORM: Final = """async (steps) => {
  const { ClientProtocol } = await import("/web/protocol.js");
  let number = 0;
  const at = new ClientProtocol({ device: "phone", newId: (prefix) => `${prefix}${++number}` });
  const outcome = (it) => (it instanceof Error
    ? it.code
    : it.withoutEffect ? "without effect" : it.duplicate ? "duplicate" : "accepted");
  const plain = ({ id, role, status, text, spoken, unheard, seen, device, kind, callId, name }) => ({
    ...{ id, role, status, text, spoken, unheard, seen, device },
    ...(kind === "message" ? {} : { kind, call_id: callId }), ...(name ? { name } : {}),
  });
  const perform = {
    open: () => { const asks = at.query(); at.opened(); return { asks }; },
    lose: () => at.lost(),
    command: ({ type, fields }) => void at.command(type, fields),
    tell: ({ type, fields }) => ({ said: at.tell(type, fields) }),
    withdraw: ({ command }) => ({ uncertain: at.withdraw(command) }),
    fail: ({ code }) => at.fail(code, "It is over."),
    receive: ({ raw, event }) => ({ told: at.receive(raw ?? JSON.stringify(event)).map(({ type }) => type) }),
  };
  return steps.map((step) => ({
    ...perform[step.do](step),
    sends: at.toSend(0).map((text) => JSON.parse(text)),
    settles: at.settled().map(([id, result]) => [id, outcome(result)]),
    items: at.conversation.items.map(plain),
    running: Object.keys(at.conversation.answers),
    retry_after_s: at.retryAfterMs / 1000 || null,
  }));
}"""

WAITS: Final = """async ({ first_s, longest_s, steps }) => {
  const { Backoff } = await import("/web/retry.js");
  const drawn = steps.filter((step) => "random" in step).map((step) => step.random);
  const backoff = new Backoff({ firstMs: first_s * 1000, longestMs: longest_s * 1000, random: () => drawn.shift() });
  return steps.map((step) =>
    step.succeeded ? void backoff.succeeded() : backoff.next((step.hint_s ?? 0) * 1000) / 1000);
}"""


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
    folder = tmp_path_factory.mktemp("gateway")
    with gateway(folder, "--synthesizer", "none", "--recognizer", "none") as running:
        yield running


@pytest.fixture(scope="module")
def blank(browser: Browser, served: Gateway) -> Iterator[Page]:
    """A page of the gateway's origin with nothing on it."""
    page = browser.new_page()
    page.goto(f"{served.url}/healthz")
    yield page
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_browser_follows_the_script(blank: Page, name: str) -> None:
    steps = script(name)["steps"]
    done: list[dict[str, Any]] = blank.evaluate(PERFORM, steps)
    for number, (step, came) in enumerate(zip(steps, done, strict=True)):
        where = f"step {number}: {json.dumps(step)[:200]}"
        expected = {"sends": [], "settles": [], **step}
        if "event" in step:
            expected.setdefault("told", [step["event"]["type"]])
        for name in ("asks", "said", "uncertain", "told", "sends", "settles", "items", "running", "retry_after_s"):
            if name in expected:
                assert came[name] == expected[name], f"{name} of {where}"


def test_attempts_are_spread_as_the_python_client_spreads_them(blank: Page) -> None:
    given = script("backoff")
    assert blank.evaluate(WAITS, given) == [step.get("wait_s") for step in given["steps"]]


def test_a_page_of_ones_own_sends_cancels_and_folds(blank: Page, served: Gateway) -> None:
    found = blank.evaluate(
        """async (url) => {
          const { CommandRejected, connect } = await import("/web/bargein.js");
          const conversation = await connect(url, { device: "mine" });
          const seen = [];
          conversation.addEventListener("response.done", ({ detail }) => seen.push(detail.response.status));
          const idle = [(await conversation.cancel()).withoutEffect];
          idle.push(await conversation.pause().catch((error) => [error instanceof CommandRejected, error.code]));
          const sent = conversation.send("Tell me a long story.", { onActive: "interrupt" });
          const pending = conversation.items.map((item) => [item.text, item.pending]);
          const { item, receipt } = await sent;
          await new Promise((go) => conversation.addEventListener("response.output_text.delta", go, { once: true }));
          const other = await connect(url, { session: conversation.session, device: "theirs" });
          const held = other.items.length;
          const ended = new Promise((go) => conversation.addEventListener("response.done", go, { once: true }));
          await other.cancel();
          await ended;
          const told = (it) => JSON.stringify(it.items.map(({ id, text, status }) => [id, text, status]));
          const [mine, theirs] = [conversation, other].map(told);
          const refused = await connect(url, { session: "sess_none" }).catch((error) => error.code);
          conversation.close();
          other.close();
          const late = await conversation.add("Too late.").catch((error) => error.code);
          return { idle, pending, first: conversation.items[0].id === item, duplicate: receipt.duplicate, held, seen,
            same: mine === theirs, statuses: other.items.map((it) => it.status), refused, late };
        }""",
        served.url,
    )
    assert found == {
        "idle": [True, [True, "output_pause_not_active"]],
        "pending": [["Tell me a long story.", True]],
        "first": True,
        "duplicate": False,
        "held": 2,
        "seen": ["cancelled"],
        "same": True,
        "statuses": ["completed", "incomplete"],
        "refused": "session_not_found",
        "late": "closed",
    }


def test_a_page_steers_an_answer_and_folds_its_parts(blank: Page, served: Gateway) -> None:
    found = blank.evaluate(
        """async (url) => {
          const { CommandRejected, connect } = await import("/web/bargein.js");
          const conversation = await connect(url, { device: "mine" });
          const once = (type) => new Promise((go) => conversation.addEventListener(type, go, { once: true }));
          const begun = once("response.output_text.delta");
          await conversation.send("Tell me a long story.");
          await begun;
          const [consumed, over] = [once("response.steer.consumed"), once("response.done")];
          const { item } = await conversation.steer("What is two plus two?");
          const { detail } = await consumed;
          await conversation.cancel();
          const { response } = (await over).detail;
          const late = await conversation.steer("No.").catch((error) => [error instanceof CommandRejected, error.code]);
          conversation.close();
          const parts = response.output.map((it) => it.id);
          return { late, same: detail.item_id === item && parts[1] === item,
            folded: conversation.items.slice(1).every((it, at) => it.id === parts[at]),
            roles: conversation.items.slice(0, 3).map((it) => it.role), ended: conversation.items[2].ended };
        }""",
        served.url,
    )
    assert found == {
        "late": [True, "steer_not_active"],
        "same": True,
        "folded": True,
        "roles": ["user", "assistant", "user"],
        "ended": None,
    }


def test_a_page_of_another_origin_takes_the_client_from_the_gateway(browser: Browser, tmp_path: Path) -> None:
    quiet = ("--synthesizer", "none", "--recognizer", "none", "--token", "sesame-1")
    with elsewhere() as origin, gateway(tmp_path, "--allow-origin", origin, *quiet) as trusting:
        page = browser.new_page()
        page.goto(origin)
        roles = page.evaluate(
            """async (url) => {
              const { connect } = await import(`${url}/web/bargein.js`);
              const refused = await connect(url).catch((error) => error.code);
              const conversation = await connect(url, { token: () => "sesame-1" });
              const over = new Promise((go) => conversation.addEventListener("response.done", go, { once: true }));
              await conversation.send("What time is it?");
              await over;
              conversation.close();
              return [refused, ...conversation.items.map((item) => item.role)];
            }""",
            trusting.url,
        )
        page.close()
    assert roles == ["invalid_api_key", "user", "assistant"]


def test_a_page_goes_on_after_its_gateway_was_killed(browser: Browser, tmp_path: Path) -> None:
    with gateway(tmp_path, "--synthesizer", "none", "--recognizer", "none") as fragile:
        page = browser.new_page()
        page.goto(f"{fragile.url}/healthz")
        page.evaluate(
            """async (url) => {
              const { connect } = await import("/web/bargein.js");
              window.conversation = await connect(url);
              await conversation.send("Tell me a long story.");
              const first = "response.output_text.delta";
              await new Promise((go) => conversation.addEventListener(first, go, { once: true }));
            }""",
            fragile.url,
        )
        fragile.kill()
        page.evaluate("() => void (window.later = conversation.add('Are you there?'))")
        fragile.start()
        texts = page.evaluate("later.then(() => conversation.items.map((it) => [it.role, it.status, it.pending]))")
        page.close()
    assert texts == [
        ["user", "completed", False],
        ["assistant", "incomplete", False],
        ["user", "completed", False],
    ]
