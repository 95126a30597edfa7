"""Both yardsticks for what a stock client is told: each event by itself, and the order of all of them."""

import json
from collections.abc import Iterable

from tests.protocol import order
from tests.protocol.stock import problems


def check(told: Iterable[order.Json]) -> None:
    """No client stumbles over any of these events, nor over their order; whatever began in them has ended."""
    events = list(told)
    assert [problem for event in events for problem in problems(json.dumps(event))] == []
    assert order.problems(events) == []
