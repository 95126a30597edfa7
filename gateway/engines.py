"""Who speaks, who listens, and who tells voice from noise: what the settings name, made.

Engines are imported where they are chosen: nobody pays the half second of one that is not used.
"""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias, cast

from gateway.agents.callable import find
from gateway.errors import SettingsError
from gateway.settings import Settings
from media.hearing.detector import SpeechDetector, standard
from media.leg import Engines
from media.speech import Recognizer, SpeechError, Synthesizer
from media.speech.absent import NoRecognizer, NoSynthesizer
from media.vad import SpeechModel
from media.vad.silero import load_model

log = logging.getLogger(__name__)

_Service: TypeAlias = Literal["tts", "stt"]


def choose_engines(settings: Settings, *, optional: bool = False) -> Engines | None:
    """Who speaks and listens; None, with a warning, when the gateway can serve text alone.

    They are *optional* where every model hears and speaks by itself; the voice is then the model's. Raises
    ``SettingsError``.
    """
    try:
        synthesizer = _synthesizer(replace(settings, voice="") if optional else settings)
        recognizer = _recognizer(settings)
    except SpeechError as error:
        raise SettingsError(f"Setting 'synthesizer' or 'recognizer' is wrong: {error}") from error
    if optional:
        synthesizer, recognizer = synthesizer or NoSynthesizer(), recognizer or NoRecognizer()
    if synthesizer is None or recognizer is None:
        log.warning("no speech engines: the gateway serves text alone (install bargein[offline] for voice)")
        return None
    return Engines(synthesizer, recognizer, load_model, choose_detector(settings))


def choose_detector(settings: Settings) -> Callable[[SpeechModel | None], SpeechDetector]:
    """What makes a leg's detector of its model: ours, or the function that was asked for, which takes nothing."""
    if not settings.detector:
        return standard
    made = find("detector", settings.detector)
    if not callable(made):
        raise SettingsError(f"The detector {settings.detector!r} is not a function.")

    def make(_model: SpeechModel | None) -> SpeechDetector:
        return cast("SpeechDetector", made())

    return make


def _synthesizer(settings: Settings) -> Synthesizer | None:
    chosen = settings.synthesizer or ("espeak" if _installed("espeakng_loader") else "none")
    if ":" in chosen:
        return cast(Synthesizer, _made("synthesizer", chosen, "speak"))
    match chosen:
        case "espeak":
            if not _installed("espeakng_loader"):
                raise SettingsError("Setting 'synthesizer' is wrong: espeak needs the extra bargein[offline].")
            from media.speech.espeak import Espeak

            return Espeak(voice=settings.voice or "en-us")
        case "openai" | "kokoro":
            return _speech_by_api(settings, chosen)
        case _:
            return None


def _speech_by_api(settings: Settings, chosen: str) -> Synthesizer:
    from media.speech.api.captioned import CaptionedSpeech
    from media.speech.api.speaking import OpenAISpeech, Style

    key, url = _server(settings, "tts")
    if chosen == "kokoro":
        style = Style(settings.tts_model or "kokoro", settings.voice or "af_heart", speed=settings.tts_speed)
        return CaptionedSpeech(key, url or "", style)
    model, voice = settings.tts_model or "gpt-4o-mini-tts", settings.voice or "alloy"
    return OpenAISpeech(key, url, Style(model, voice, settings.tts_instructions, settings.tts_speed))


def _recognizer(settings: Settings) -> Recognizer | None:
    chosen = settings.recognizer or ("sphinx" if _installed("pocketsphinx") else "none")
    if ":" in chosen:
        return cast(Recognizer, _made("recognizer", chosen, "listen"))
    match chosen:
        case "sphinx":
            if not _installed("pocketsphinx"):
                raise SettingsError("Setting 'recognizer' is wrong: sphinx needs the extra bargein[offline].")
            from media.speech.sphinx import Sphinx

            return Sphinx()
        case "openai":
            from media.speech.api.transcribing import OpenAITranscription

            model = settings.stt_model or "gpt-4o-mini-transcribe"
            return OpenAITranscription(*_server(settings, "stt"), model, settings.stt_language)
        case "openai_realtime":
            from media.speech.live.recognizer import MODEL, LiveTranscription

            model = settings.stt_model or MODEL
            return LiveTranscription(*_server(settings, "stt"), model, settings.stt_language)
        case _:
            return None


def _server(settings: Settings, service: _Service) -> tuple[str | None, str | None]:
    """The key and the base URL of a speech server: its own, else the model's.

    The model's key is never sent to a server of its own.
    """
    own_key, own_url = str(getattr(settings, f"{service}_api_key")), str(getattr(settings, f"{service}_base_url"))
    if own_url:
        return own_key or None, own_url
    return own_key or settings.api_key or None, settings.base_url or None


def _made(what: str, path: str, method: str) -> object:
    """An engine by others: what the function at *path* returns."""
    make = find(what, path)
    engine = make() if callable(make) else None
    if not callable(getattr(engine, method, None)):
        raise SettingsError(f"Setting '{what}' is wrong: {path} must be a function that returns a {what}.")
    return engine


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
