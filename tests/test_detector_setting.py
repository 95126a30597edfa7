"""The setting ``detector``: a speech detector of the user's own."""

import pytest

from gateway.engines import choose_detector
from gateway.errors import SettingsError
from gateway.settings import Settings
from media.hearing.detector import SpeechDetector, standard
from tests.media.test_detector_plugin import Clap


def mine() -> SpeechDetector:
    return Clap()


def test_without_the_setting_it_is_ours() -> None:
    assert choose_detector(Settings()) is standard


def test_each_leg_gets_a_detector_of_its_own() -> None:
    make = choose_detector(Settings(detector=f"{__name__}:mine"))
    first, second = make(None), make(None)
    assert isinstance(first, Clap)
    assert first is not second


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nowhere.to.be.found:mine", "The detector's module 'nowhere.to.be.found' was not found"),
        (f"{__name__}:yours", "has nothing called 'yours'"),
        (f"{__name__}:__doc__", "is not a function"),
        (":mine", "must be written package.module:function"),
    ],
)
def test_what_is_wrong_is_said(path: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        choose_detector(Settings(detector=path))
