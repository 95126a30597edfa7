"""Names that clients give, without a network."""

import msgspec
import pytest

from gateway.core.values import Settings
from gateway.protocol import realtime as rt
from gateway.transports import config as conf
from gateway.transports.names import Known, Names

MODELS = Known("small", ("large", "qwen3:8b"), {"gpt-realtime": "qwen3:8b"})
NAMES = Names(MODELS, Known("en-us", ("de",), {"marin": "de"}))


def changed(settings: Settings, **session: object) -> Settings:
    return conf.shared(settings, msgspec.convert(session, rt.SessionChanges), NAMES)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("small", "small"),
        ("large", "large"),
        ("gpt-realtime", "qwen3:8b"),
        ("gpt-realtime-2.1", "small"),
        ("gpt-4o-realtime-preview-2024-12-17", "small"),
        ("", "small"),
        ("Large", "small"),
    ],
)
def test_a_name_means_a_model_that_is_allowed_and_the_default_when_nobody_knows_it(asked: str, meant: str) -> None:
    assert MODELS.first(asked) == meant


def test_where_names_mean_nothing_each_passes() -> None:
    assert Names().models.first("gpt-realtime") == "gpt-realtime"
    assert conf.shared(Settings("m"), rt.SessionChanges(model="n"), Names()).model == "m"
    assert conf.shared(Settings(), rt.SessionChanges(model="n"), Names()).model == "n"


def test_a_session_keeps_the_first_model_that_was_known() -> None:
    begun = Settings(MODELS.first("gpt-realtime-2.1"))
    assert changed(begun, model="gpt-4o-realtime-preview") == begun
    chosen = changed(begun, model="large")
    assert chosen.model == "large"
    assert changed(chosen, model="gpt-realtime") == chosen
    assert changed(chosen, model=None) == chosen


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("de", "de"), ("marin", "de"), ("ash", "de"), ("en-us", "en-us"), (None, "en-us"), ({"id": "en-us"}, "en-us")],
)
def test_a_voice_that_nobody_knows_changes_nothing_and_null_brings_the_usual_one(asked: object, spoken: str) -> None:
    assert changed(Settings(voice="de"), audio={"output": {"voice": asked}}).voice == spoken
