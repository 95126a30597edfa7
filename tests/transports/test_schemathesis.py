"""Whatever the description allows, and what it forbids, is asked of a running gateway: nothing may break its word.

``BARGEIN_EXAMPLES`` says how many requests of each kind.
"""

import asyncio
import os
import re
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.transports.openapi import openapi
from gateway.transports.routes import OPERATIONS
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Gateway, serving

EXAMPLES: Final = int(os.environ.get("BARGEIN_EXAMPLES", "10"))

API: Final = schemathesis.openapi.from_dict(openapi(OPERATIONS, secured=False))
ASKED: Final[list[Any]] = [found.ok() for found in API.get_all_operations() if isinstance(found, Ok)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in a loop of its own, since the tests ask without one."""
    up, over = threading.Event(), asyncio.Event()
    found: list[tuple[Gateway, asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
        async with serving(tmp_path_factory.mktemp("log"), engines=engines, max_offers=0) as running:
            found.append((running, asyncio.get_running_loop()))
            up.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert up.wait(20)
    running, loop = found[0]
    yield running
    loop.call_soon_threadsafe(over.set)
    thread.join()


@pytest.fixture(scope="module")
def session(gateway: Gateway) -> str:
    return str(asyncio.run(gateway.http("POST", "/v1/sessions")).json["id"])


def ways() -> Iterator[Any]:
    """Each operation with what is right, and with what is wrong where anything can be: any text is right in a path."""
    for operation in ASKED:
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.label} right")
        plain = all(list(each.definition["schema"]) == ["type"] for each in (*operation.query, *operation.headers))
        if operation.body or not plain:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label} wrong")


@pytest.mark.parametrize(("operation", "mode"), list(ways()))
def test_every_answer_is_as_described(gateway: Gateway, session: str, operation: Any, mode: GenerationMode) -> None:
    known = {"session_id": session} if "{session_id}" in operation.path else {}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case: Any = data.draw(operation.as_strategy(generation_mode=mode))
        there: bool = data.draw(st.booleans())
        if known and there:
            case.path_parameters = known
        if operation.label == "GET /v1/sessions/{session_id}/events":
            case.query = {**(case.query or {}), "wait": 0}  # else it may wait, or have no end
        response = case.call(base_url=gateway.url)
        case.validate_response(response, excluded_checks=[positive_data_acceptance] if no_schema_says(response) else [])

    ask()


def no_schema_says(response: Any) -> bool:
    """What is wrong with a request cannot be said in a schema: it is no SDP, or one part does not fit another."""
    if response.status_code != 400:
        return False
    error = response.json()["error"]
    if error["message"].startswith("Expected `int") and error["message"].endswith(", got `float`."):
        return True  # 5.0, which JSON Schema takes for a whole number
    about_a_value = error["code"] in ("invalid_value", "missing_required_parameter")
    param = ITEM_PLACE.sub("item.", error["param"] or "")
    return error["code"] in BEYOND_SCHEMAS or (about_a_value and param in BEYOND_SCHEMAS)


ITEM_PLACE: Final = re.compile(r"^(item|response\.input\[\d+\])\.")
TURN_LIMITS: Final = ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms")
BEYOND_SCHEMAS: Final = {
    *("invalid_sdp", "unsupported_codec", "unsupported_ptime", "session"),
    *("invalid_event_for_transport", "unsupported_format", "Idempotency-Key", "token_id"),
    *(f"session.audio.input.turn_detection.{name}" for name in TURN_LIMITS),
    *("session.output_modalities", "session.bargein.stop_words", "session.bargein.backchannels"),
    *("session.tools", "response.tools"),  # each has a name of its own
    *(f"item.{name}" for name in ("type", "id", "role", "content", "name", "call_id", "output")),  # by type of item
    *("item_id", "text", "order"),  # what an action of queue.update needs
    *("input", "response_id"),  # what goes with ``replaces``; one of several that say what to cancel
}
