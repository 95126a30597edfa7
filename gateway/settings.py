"""Everything that can be set, with its default and its sentence. Read by the wiring only.

A setting comes from a flag of ``bargein serve``, else from ``BARGEIN_<NAME>`` (or, for two of them,
the variable that the ``openai`` package reads too), else from the TOML file that ``--config`` names,
else from its default. The command line itself is built from this class, so that nothing is said twice.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from pathlib import Path
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

from gateway.core.values import Context, ContextPolicy
from gateway.errors import SettingsError

ALSO: Final = {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"}
"""Variables with a name of their own, read when ``BARGEIN_<NAME>`` is not set."""

_PORTS: Final = re.compile(r"(\d{1,5})-(\d{1,5})")
_STUN: Final = re.compile(r"stun:[^\s:?,]+(:\d{1,5})?")
_TURN: Final = re.compile(r"turns?:[^\s:?,]+(:\d{1,5})?(\?transport=(udp|tcp))?")
"""RFC 7064 and RFC 7065, as far as both sides understand them."""

OF_MODELS: Final = ("openai_chat", "openai_responses", "openai_realtime")
"""Agents that ask a server for one of its models."""

MIN_SECRET_BYTES: Final = 32
"""RFC 7518 section 3.2: as long as the hash is."""

ELSEWHERE: Final = frozenset({"BARGEIN_CONFIG", "BARGEIN_EXAMPLES"})
"""Variables of ours that are no settings: where the file is, and how long property tests run."""


def _setting(default: Any, help: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"help": help})


@dataclass(frozen=True, slots=True)
class Settings:
    """How a gateway is started. Construction checks it: raises ``SettingsError``."""

    host: str = _setting("127.0.0.1", "Address to listen on. Anything but loopback needs --token or other auth.")
    port: int = _setting(8080, "Port to listen on; 0 takes a free one.")
    tls: str = _setting("", "'dev' makes a certificate, so that a phone's browser gives its microphone.")
    tls_cert: str = _setting("", "Or your own: a PEM file with the certificate and its chain.")
    tls_key: str = _setting("", "And a PEM file with its key.")
    token: str = _setting("", "Secret that clients must present as 'Authorization: Bearer …'.", secret=True)
    token_file: str = _setting("", "Or the file that holds it.")
    auth_secret: str = _setting("", "Secret that signs JSON Web Tokens (HS256): 32 bytes at least.", secret=True)
    auth_secret_file: str = _setting("", "Or the file that holds it.")
    auth_issuer: str = _setting("bargein", "Issuer ('iss') of the tokens that this secret signs.")
    auth_audience: str = _setting("bargein", "Audience ('aud') that every token must name.")
    auth_issuers: str = _setting("", "Issuers with public keys (RS256, ES256): ISSUER=JWKS-URL, separated by commas.")
    allow_origin: str = _setting("", "Further web origins that may connect, separated by commas.")
    allow_host: str = _setting("", "Further Host names under which the gateway is reached, separated by commas.")
    data: str = _setting("data", "Directory of the conversations' log (SQLite).")
    keep_days: int = _setting(0, "Days that a conversation is kept after its last use; 0: for ever.")
    keep_mb: int = _setting(0, "Megabytes of conversations to keep; beyond, the longest unused go; 0: any number.")
    agent: str = _setting(
        "", "Who answers: 'offline', 'openai_chat', 'openai_responses', 'openai_realtime' or 'package.module:function'."
    )
    model: str = _setting("gpt-4o-mini", "Model of openai_chat, openai_responses or openai_realtime.")
    models: str = _setting("", "Further models that a session may choose: NAME or NAME=AGENT, separated by commas.")
    model_alias: str = _setting("", "Other names of models, which are allowed thereby: NAME=MODEL, by commas.")
    model_connect_s: float = _setting(5.0, "Seconds for the connection to the model's server.")
    first_token_s: float = _setting(15.0, "Seconds until a model's first token, another attempt included.")
    next_token_s: float = _setting(15.0, "Seconds from one token of a model to the next.")
    answer_s: float = _setting(600.0, "Seconds until an answer must have come whole; what is there by then stays.")
    answer_limit: int = _setting(100_000, "Characters that an answer may have.")
    steer: str = _setting(
        "instruction", "How a steered answer goes on; also 'prefill' (openai_chat), 'native' (openai_responses)."
    )
    reasoning_effort: str = _setting("", "How hard a model of openai_responses thinks: 'low' …; empty: not sent.")
    base_url: str = _setting("", "Any OpenAI-compatible server, for openai_… agents, and for speech without its own.")
    api_key: str = _setting("", "Key for that server. Better given by the environment than by a flag.", secret=True)
    api_key_file: str = _setting("", "Or the file that holds it.")
    synthesizer: str = _setting("", "Who speaks: 'espeak', 'openai', 'kokoro', 'none' or 'package.module:function'.")
    recognizer: str = _setting(
        "", "Who listens: 'sphinx', 'openai', 'openai_realtime', 'none' or 'package.module:function'."
    )
    detector: str = _setting("", "A speech detector of your own: 'package.module:function', called once for each leg.")
    tts_base_url: str = _setting("", "A server for the synthesizer alone, as http://host:8880/v1.")
    tts_api_key: str = _setting("", "Its key; --api-key is for --base-url alone.", secret=True)
    tts_api_key_file: str = _setting("", "Or the file that holds it.")
    tts_model: str = _setting("", "Model of the synthesizer: gpt-4o-mini-tts, or kokoro.")
    tts_instructions: str = _setting("", "How the voice should sound, in words, for models that take them.")
    tts_speed: float = _setting(1.0, "How fast openai or kokoro speaks, 0.25 to 4.")
    stt_base_url: str = _setting("", "A server for the recognizer alone.")
    stt_api_key: str = _setting("", "Its key; --api-key is for --base-url alone.", secret=True)
    stt_api_key_file: str = _setting("", "Or the file that holds it.")
    stt_model: str = _setting("", "Model of openai (gpt-4o-mini-transcribe) or openai_realtime (gpt-live-transcribe).")
    stt_language: str = _setting("", "Language that the recognizer hears (ISO 639-1); else it guesses.")
    voice: str = _setting("", "Voice: of espeak (en-us), openai (alloy), kokoro (af_heart) or openai_realtime.")
    voices: str = _setting("", "Further voices that a session may choose, separated by commas.")
    voice_alias: str = _setting("", "Other names of voices, which are allowed thereby: NAME=VOICE, by commas.")
    instructions: str = _setting("", "Instructions for the model, where a session gives none.")
    context: str = _setting("whole", "What of a long conversation models get: whole, window, summarise or reset.")
    context_tokens: int = _setting(8000, "Tokens of it at most, estimated at four characters each; not for 'whole'.")
    max_event_bytes: int = _setting(64 * 1024, "Largest client event, in bytes.")
    max_append_bytes: int = _setting(15 * 1024 * 1024, "Largest input_audio_buffer.append, in bytes.")
    max_calls: int = _setting(100, "Calls at the same time, WebRTC and WebSocket; 0 for any number.")
    max_connections: int = _setting(1000, "WebSockets and event streams at the same time; 0 for any number.")
    max_per_user: int = _setting(20, "Connections and calls of one user at the same time; 0 for any number.")
    max_per_address: int = _setting(100, "The same for each client address but this machine's; 0 for any number.")
    max_commands: int = _setting(20, "Commands a second of each connection, after ten times as many; 0 for any number.")
    max_session_minutes: int = _setting(0, "Minutes a connection or call may last; its session goes on. 0: no limit.")
    max_late_ms: int = _setting(20, "Sound that leaves later than this says that calls must end; 0: never.")
    after_empty_cut: str = _setting("continue", "After a cut with nothing said: 'continue', 'ask' or 'silent'.")
    after_failure: str = _setting("say", "When a model fails by voice: 'say' that there is no answer, or 'silent'.")
    after_missed_steer: str = _setting("queue", "A steer that came too late for its answer: 'queue' or 'fail'.")
    media: str = _setting("direct", "Path of WebRTC sound: 'direct' (ours) or 'stock' (aiortc's, slower and dearer).")
    rtc_public_ip: str = _setting("", "Address that a router passes on to this machine, port by port (1:1 NAT).")
    rtc_ports: str = _setting("", "UDP ports for calls, as 50000-50999; else the system chooses.")
    stun: str = _setting("", "STUN servers for both sides, as stun:HOST:PORT, separated by commas.")
    turn: str = _setting("", "TURN servers for both sides, as turn:HOST:PORT?transport=udp, separated by commas.")
    turn_username: str = _setting("", "User name for the TURN servers.")
    turn_credential: str = _setting("", "Password for the TURN servers. Every client gets it.", secret=True)
    turn_credential_file: str = _setting("", "Or the file that holds it.")
    turn_secret: str = _setting("", "Or the secret that they share, from which passwords are made.", secret=True)
    turn_secret_file: str = _setting("", "Or the file that holds it.")
    max_offers: int = _setting(10, "WebRTC offers a minute for each client address; 0 for any number.")
    log_level: str = _setting("warning", "debug, info, warning or error.")

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, "port", "a port lies between 0 and 65535")
        if ":" not in self.synthesizer:
            _one_of("synthesizer", self.synthesizer, ("", "espeak", "openai", "kokoro", "none"))
        if ":" not in self.recognizer:
            _one_of("recognizer", self.recognizer, ("", "sphinx", "openai", "openai_realtime", "none"))
        _one_of("after_empty_cut", self.after_empty_cut, ("continue", "ask", "silent"))
        _one_of("tls", self.tls, ("", "dev"))
        _one_of("context", self.context, get_args(ContextPolicy))
        _require(bool(self.tls_cert) == bool(self.tls_key), "tls_cert", "it goes with --tls-key")
        _require(not (self.tls and self.tls_cert), "tls", "give --tls dev or a certificate, not both")
        _one_of("after_missed_steer", self.after_missed_steer, ("queue", "fail"))
        _one_of("steer", self.steer, ("instruction", "prefill", "native"))
        _one_of("media", self.media, ("direct", "stock"))
        _one_of("log_level", self.log_level, ("debug", "info", "warning", "error"))
        known = self.agent in ("", "offline", *OF_MODELS) or ":" in self.agent
        given = ", ".join(f"'{agent}'" for agent in ("offline", *OF_MODELS))
        _require(known, "agent", f"give {given} or 'package.module:function'")
        _require(not self.detector or ":" in self.detector, "detector", "give 'package.module:function'")
        for name, least in (("max_event_bytes", 1024), ("max_append_bytes", 1024), ("context_tokens", 100)):
            _require(getattr(self, name) >= least, name, f"at least {least}")
        counted = ("max_calls", "max_connections", "max_per_user", "max_per_address", "max_commands", "max_late_ms")
        for name in (*counted, "max_session_minutes", "keep_days", "keep_mb"):
            _require(getattr(self, name) >= 0, name, "not less than 0")
        self._check_servers()
        plain = all(char.isalnum() or char in "-._~" for char in self.token) and self.token.isascii()
        _require(plain, "token", "letters, digits and - . _ ~ only, so that it fits into headers and addresses")
        _require(self.max_offers >= 0, "max_offers", "not less than 0")
        self._check_names()
        self._check_network()
        exposed = not is_loopback(self.host) and not self.asks_who
        _require(
            not exposed, "host", "an address that others can reach needs a --token, --auth-secret or --auth-issuers"
        )
        self._check_auth()

    def _check_servers(self) -> None:
        for name in ("base_url", "tts_base_url", "stt_base_url"):
            url = getattr(self, name)
            _require(not url or "://" in url, name, "give a whole URL, as http://host:port/v1")
        _require(0.25 <= self.tts_speed <= 4, "tts_speed", "0.25 to 4")

    def _check_names(self) -> None:
        _one_of("after_failure", self.after_failure, ("say", "silent"))
        _require(self.answer_limit > 0, "answer_limit", "more than 0")
        for name in ("model_connect_s", "first_token_s", "next_token_s", "answer_s"):
            _require(0 < getattr(self, name) < inf, name, "more than 0")
        for model, agent in self.further_models.items():
            known = agent in ("", "offline", *OF_MODELS) or ":" in agent
            _require(bool(model) and known, "models", "give NAME or NAME=AGENT")
        for setting, aliases in (("model_alias", self.model_aliases), ("voice_alias", self.voice_aliases)):
            _require(all(aliases) and all(aliases.values()), setting, "give NAME=MEANING")

    @property
    def further_models(self) -> dict[str, str]:
        """The kind of agent of each further model; ``""`` for that of all others."""
        return _paired(self.models)

    @property
    def model_aliases(self) -> dict[str, str]:
        """The model that each alias means."""
        return _paired(self.model_alias)

    @property
    def voice_list(self) -> tuple[str, ...]:
        """Further voices, as a tuple."""
        return _listed(self.voices)

    @property
    def voice_aliases(self) -> dict[str, str]:
        """The voice that each alias means."""
        return _paired(self.voice_alias)

    def _check_auth(self) -> None:
        long_enough = not self.auth_secret or len(self.signing_key) >= MIN_SECRET_BYTES
        _require(long_enough, "auth_secret", f"at least {MIN_SECRET_BYTES} bytes")
        for name in secrets():
            both = bool(getattr(self, name) and getattr(self, f"{name}_file"))
            _require(not both, name, f"it goes without --{name.replace('_', '-')}-file")
        _require(bool(self.auth_issuer and self.auth_audience), "auth_issuer", "neither issuer nor audience is empty")
        given = _listed(self.auth_issuers)
        parts = [each.partition("=") for each in given]
        whole = all(issuer and _may_be_asked(url) for issuer, _, url in parts)
        _require(whole, "auth_issuers", "give ISSUER=URL, and https unless it is this machine")
        once = len({issuer for issuer, _, _ in parts} | {self.auth_issuer}) == len(parts) + 1
        _require(once, "auth_issuers", "each issuer once, and none is --auth-issuer")

    @property
    def given_of_long_ones(self) -> Context:
        """What of a long conversation models are given."""
        return Context(cast(ContextPolicy, self.context), self.context_tokens)

    @property
    def asks_who(self) -> bool:
        """Must clients present anything?"""
        return self._gives("token") or self._gives("auth_secret") or bool(self.auth_issuers)

    @property
    def signing_key(self) -> bytes:
        """The secret that signs tokens, of any bytes; empty for none."""
        return self.auth_secret.encode("utf-8", "surrogateescape")

    def _gives(self, secret: str) -> bool:
        return bool(getattr(self, secret) or getattr(self, f"{secret}_file"))

    @property
    def issuers(self) -> dict[str, str]:
        """Where the public keys of each further issuer are."""
        return {issuer: url for issuer, _, url in (each.partition("=") for each in _listed(self.auth_issuers))}

    def _check_network(self) -> None:
        _require(not self.rtc_public_ip or _may_be_announced(self.rtc_public_ip), "rtc_public_ip", "give an IP address")
        _require(not self.rtc_ports or self.ports is not None, "rtc_ports", "give two ports, as 50000-50999")
        for url in self.stun_servers:
            _require(_STUN.fullmatch(url) is not None, "stun", "give stun:HOST or stun:HOST:PORT")
        for url in self.turn_servers:
            _require(_TURN.fullmatch(url) is not None, "turn", "give turn:HOST:PORT or turns:HOST:PORT")
        credential, shared = self._gives("turn_credential"), self._gives("turn_secret")
        let_in = bool(self.turn_username and credential) != shared
        unused = not (self.turn_username or credential or shared)
        enough = let_in if self.turn_servers else unused
        _require(enough, "turn", "it goes with --turn-username and --turn-credential, or with --turn-secret")

    @property
    def ports(self) -> range | None:
        """The UDP ports that calls may take; None for any, or where they cannot be read."""
        match = _PORTS.fullmatch(self.rtc_ports)
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        return range(first, last + 1) if 0 < first <= last <= 65535 else None

    @property
    def stun_servers(self) -> tuple[str, ...]:
        """STUN servers, as a tuple."""
        return _listed(self.stun)

    @property
    def turn_servers(self) -> tuple[str, ...]:
        """TURN servers, as a tuple."""
        return _listed(self.turn)

    @property
    def origins(self) -> tuple[str, ...]:
        """Further origins, as a tuple."""
        return _listed(self.allow_origin)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Further host names, as a tuple."""
        return _listed(self.allow_host)


def help_of(name: str) -> str:
    """The sentence of a setting."""
    return next(str(f.metadata["help"]) for f in fields(Settings) if f.name == name)


def variables(name: str) -> list[str]:
    """The environment variables of a setting, the first one set wins."""
    return [f"BARGEIN_{name.upper()}", *([ALSO[name]] if name in ALSO else [])]


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse variables of ours that mean nothing: a misspelt setting must not be ignored."""
    known = {f"BARGEIN_{f.name.upper()}" for f in fields(Settings)} | ELSEWHERE
    for name in sorted(environment):
        if name.startswith("BARGEIN_") and name not in known:
            raise SettingsError(f"Unknown setting {name} in the environment.")


def read_file(path: Path) -> dict[str, Any]:
    """The settings of a TOML file. Raises ``SettingsError`` for what cannot be read or is unknown."""
    import tomllib

    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The configuration file cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file is not valid TOML: {error}.") from error
    types = {f.name: type(f.default) for f in fields(Settings)}
    read = {}
    for name, given in found.items():
        if name not in types:
            raise SettingsError(f"Unknown setting '{name}' in the configuration file.")
        value = read[name] = _as_flag(given, types[name])
        if type(value) is not types[name]:
            raise SettingsError(f"Setting '{name}' in the configuration file must be of type {types[name].__name__}.")
    return read


def _as_flag(given: Any, wanted: type) -> Any:
    """What TOML says better than a flag can: lists, tables of names, and whole numbers of seconds."""
    match given:
        case dict() if all(isinstance(value, str) for value in given.values()):
            return ",".join(f"{name}={value}" for name, value in given.items())
        case list() if all(isinstance(value, str) for value in given):
            return ",".join(given)
        case int() if wanted is float and not isinstance(given, bool):
            return float(given)
        case _:
            return given


def secrets() -> tuple[str, ...]:
    """The settings that nobody may see. Each has another of its name and ``_file``."""
    return tuple(f.name for f in fields(Settings) if not f.repr)


def with_secrets(settings: Settings) -> Settings:
    """*settings* with the secrets that stand in files. Raises ``SettingsError``."""
    files = {name: getattr(settings, f"{name}_file") for name in secrets()}
    read: dict[str, Any] = {name: _read_secret(f"{name}_file", Path(path)) for name, path in files.items() if path}
    return replace(settings, **read | {f"{name}_file": "" for name in read})


def _read_secret(name: str, path: Path) -> str:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"Setting '{name}' is wrong: it cannot be read ({error.strerror}).") from error
    _require(bool(secret), name, "the file is empty")
    return secret.decode("utf-8", "surrogateescape")


def _may_be_asked(url: str) -> bool:
    """An address for public keys: what comes from there decides who is let in."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Can only this machine reach *host*?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _may_be_announced(address: str) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (known.is_loopback or known.is_unspecified or known.is_multicast)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _paired(text: str) -> dict[str, str]:
    """``a=b,c=d`` as a mapping; what has no ``=`` maps to nothing."""
    return {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in _listed(text))}


def _require(condition: bool, name: str, sentence: str) -> None:
    if not condition:
        raise SettingsError(f"Setting '{name}' is wrong: {sentence}.")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    given = ", ".join(f"'{word}'" for word in known if word)
    _require(value in known, name, f"give one of {given}")
