"""A real Chromium, headless, optionally with a recording as its microphone."""

import shutil
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from media.frames import MIC_RATE_HZ, Pcm, from_bytes, samples, silence
from media.resample import resample

CALLERS: Final = Path(__file__).parent.parent / "data" / "callers"

CAPTURE_RATE_HZ: Final = 48_000
"""The rate at which Chromium takes a recording as it is."""

FLAGS: Final = (
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

_UNTIL: Final = """([test, within]) => new Promise((resolve, reject) => {
  const begin = performance.now();
  const timer = setInterval(() => {
    const state = window.bargein?.state;
    if (state !== undefined && TEST(state)) resolve(clearInterval(timer));
    else if (performance.now() - begin > within) {
      clearInterval(timer);
      reject(new Error(`${test} did not come true: ${JSON.stringify(state)}`));
    }
  }, 20);
})"""


@contextmanager
def chromium(playwright: Playwright, microphone: Path | None = None) -> Iterator[Browser]:
    """A browser. *microphone* (a WAV file) is played once, from when a page opens the microphone.

    Without it there is no microphone to be found. Skips the test where Chromium is not installed.
    """
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("Chromium is not installed (scripts/system-packages chromium)")
    flags = list(FLAGS)
    if microphone is not None:
        flags += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
        ]
    browser = playwright.chromium.launch(executable_path=path, headless=True, args=flags)
    try:
        yield browser
    finally:
        browser.close()


def until(page: Page, test: str, within_s: float = 15.0) -> None:
    """Wait until *test*, a JavaScript function of ``window.bargein.state``, is true. Fails with the state it saw last.

    Playwright's own ``wait_for_function`` needs ``eval``, which the page's Content-Security-Policy forbids.
    """
    page.evaluate(_UNTIL.replace("TEST", f"({test})"), [test, within_s * 1000])


def state(page: Page) -> dict[str, Any]:
    """``window.bargein.state``."""
    found: dict[str, Any] = page.evaluate("window.bargein.state")
    return found


def record(path: Path, *parts: float | str) -> None:
    """Write a recording to be a microphone: seconds of silence, and callers by name."""
    sound = np.concatenate([_caller(part) if isinstance(part, str) else _seconds(part) for part in parts])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CAPTURE_RATE_HZ)
        file.writeframes(resample(sound, MIC_RATE_HZ, CAPTURE_RATE_HZ).astype("<i2").tobytes())


def _seconds(count: float) -> Pcm:
    return silence(samples(count * 1000, MIC_RATE_HZ))


def _caller(name: str) -> Pcm:
    with wave.open(str(CALLERS / f"{name}.wav")) as file:
        assert file.getframerate() == MIC_RATE_HZ
        return from_bytes(file.readframes(file.getnframes()))
