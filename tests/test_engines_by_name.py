"""``--synthesizer package.module:function``: engines by others, and what is said when they are none."""

from typing import Any

import pytest

from gateway.engines import choose_engines
from gateway.errors import SettingsError
from gateway.settings import Settings
from tests.media.engines import ScriptedRecognizer, ToneSynthesizer

HERE = "tests.media.engines"


def test_engines_are_made_by_the_functions_that_are_named() -> None:
    engines = choose_engines(Settings(synthesizer=f"{HERE}:ToneSynthesizer", recognizer=f"{HERE}:ScriptedRecognizer"))
    assert engines is not None
    assert isinstance(engines.synthesizer, ToneSynthesizer)
    assert isinstance(engines.recognizer, ScriptedRecognizer)


@pytest.mark.parametrize("name", [f"{HERE}:nothing", f"{HERE}.nowhere:engine", f"{HERE}:WORD_MS", ":engine", "engine:"])
@pytest.mark.parametrize("setting", ["synthesizer", "recognizer"])
def test_what_makes_no_engine_is_a_wrong_setting(setting: str, name: str) -> None:
    given: dict[str, Any] = {"synthesizer": "none", "recognizer": "none", setting: name}
    with pytest.raises(SettingsError, match=setting):
        choose_engines(Settings(**given))
