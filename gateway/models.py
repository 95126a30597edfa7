"""Who answers, and under which names: what the settings name, made."""

from collections.abc import Mapping
from typing import Final

from gateway.agents.callable import load
from gateway.agents.offline import OfflineAgent
from gateway.agents.patience import Patience
from gateway.errors import SettingsError
from gateway.runtime.bounds import Bounds
from gateway.runtime.choice import Agents
from gateway.runtime.ports import Agent, SteerMode
from gateway.settings import OF_MODELS, Settings
from gateway.transports.names import OPENAI_VOICES, Known, Names
from media.leg import Engines
from media.speech import Versatile

_OPENAI_SPEECH: Final = "openai"


def choose_agents(settings: Settings, given: Agent | None = None) -> Agents:
    """An agent for each model that a session may have, or *given* for all. Raises ``SettingsError``."""
    bounds, regrets = Bounds(settings.answer_s, settings.answer_limit), settings.after_failure == "say"
    if given is not None:
        return Agents(given, bounds=bounds, regrets=regrets)
    made = {model: _made(settings, kind, model) for model, kind in _kinds(settings).items()}
    return Agents(next(iter(made.values())), made, bounds, regrets=regrets)


def names_of(settings: Settings, engines: Engines | None) -> Names:
    """Which names clients may give. Any, where there is but one model without a name, or one voice without.

    Raises ``SettingsError``.
    """
    default, *others = _kinds(settings)
    named = others or default == settings.model
    models = Known(default, others, settings.model_aliases) if named else Known()
    return Names(models, _voices(settings, engines))


def _voices(settings: Settings, engines: Engines | None) -> Known:
    engine: object = engines.synthesizer if engines is not None else None
    if not isinstance(engine, Versatile):
        if engine is not None and (settings.voices or settings.voice_alias):
            raise SettingsError("Setting 'voices' is wrong: this synthesizer has but one voice.")
        return Known()
    theirs = settings.synthesizer == _OPENAI_SPEECH and not (settings.base_url or settings.tts_base_url)
    usual = OPENAI_VOICES if theirs else ()
    aliases = settings.voice_aliases
    return Known(engine.voice, (*settings.voice_list, *usual, *aliases.values()), aliases)


def _kinds(settings: Settings) -> Mapping[str, str]:
    """By its name, what kind of agent each model needs. The default is the first."""
    usual = settings.agent or ("openai_chat" if settings.api_key or settings.base_url else "offline")
    kinds = {settings.model if usual in OF_MODELS else usual: usual}
    kinds |= {model: kind or usual for model, kind in settings.further_models.items()}
    for model in settings.model_aliases.values():
        kinds.setdefault(model, usual)
    for model, kind in list(kinds.items())[1:]:
        if kind == usual and kind not in OF_MODELS:
            raise SettingsError(f"Setting 'models' is wrong: {model} needs an agent, as {model}=openai_chat.")
    return kinds


def _made(settings: Settings, kind: str, model: str) -> Agent:
    if kind == "offline":
        return OfflineAgent()
    patience = Patience(settings.model_connect_s, settings.first_token_s, settings.next_token_s)
    key, url = settings.api_key or None, settings.base_url or None
    # Imported where they are chosen: nobody pays the half second of one that is not used.
    if kind == "openai_realtime":
        from gateway.agents.openai_realtime import OpenAIRealtime

        return OpenAIRealtime(model, key, url, settings.voice, patience=patience)
    if kind == "openai_chat":
        from gateway.agents.openai_chat import OpenAIChat

        steer: SteerMode = "prefill" if settings.steer == "prefill" else "instruction"
        return OpenAIChat(model, api_key=key, base_url=url, steer=steer, patience=patience)
    if kind == "openai_responses":
        from gateway.agents.openai_responses import OpenAIResponses
        from gateway.agents.openai_responses_socket import OpenAIResponsesSocket

        effort = settings.reasoning_effort or None
        agent = OpenAIResponsesSocket if settings.steer == "native" else OpenAIResponses
        return agent(model, key, url, effort, patience=patience)
    return load(kind)
