"""The verdict of a soak: what grows is named, what only swings is not."""

import random
from typing import Any

from benchmarks.load import Histogram
from benchmarks.soak import verdict


def samples(count: int = 180, **growth: float) -> list[dict[str, Any]]:
    """A sample each 10 s; *growth* is in units a sample, on top of a swing of a few."""
    dice = random.Random(1)
    found = []
    for index in range(count):
        level = {"rss_mb": 160.0, "objects": 90_000.0, "fds": 40.0, "tasks": 60.0, "threads": 9.0}
        for name in level:
            swing = dice.uniform(-4, 4) if name in ("fds", "tasks") else 0.0
            level[name] += growth.get(name, 0.0) * index + swing
        kept = int(growth.get("objects", 0.0) * index)
        found.append({"at_s": index * 10.0, **level, "types": {"dict": 20_000, "Leaf": 10 + kept}, "lines": {}})
    return found


def test_what_swings_is_flat() -> None:
    told = verdict(samples())
    assert told["flat"]
    assert told["types"] == {}


def test_memory_that_grows_is_not() -> None:
    told = verdict(samples(rss_mb=0.1))
    assert not told["flat"]
    assert not told["growth"]["rss_mb"]["flat"]
    assert 35 < told["growth"]["rss_mb"]["slope_per_hour"] < 37
    assert told["growth"]["fds"]["flat"]


def test_what_the_growth_is_made_of_is_named() -> None:
    told = verdict(samples(objects=100.0))
    assert not told["growth"]["objects"]["flat"]
    assert list(told["types"]) == ["Leaf"]


def test_a_descriptor_lost_with_each_call_is_seen() -> None:
    assert not verdict(samples(fds=0.3))["growth"]["fds"]["flat"]


def test_what_grows_while_it_warms_up_does_not_count() -> None:
    told = samples()
    for index, sample in enumerate(told[:60]):
        sample["rss_mb"] -= 60 - index
    assert verdict(told)["flat"]


def test_a_percentile_of_a_histogram_is_the_millisecond_below() -> None:
    found = Histogram()
    assert found.percentile(0.99) == 0.0
    for ms in range(100):
        found.note((ms + 0.5) / 1000)
    found.note(99.0)
    assert (found.percentile(0.5), found.percentile(0.99), found.percentile(1.0)) == (50.0, 99.0, 9999.0)
    assert found.above(90) == 11
