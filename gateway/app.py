"""The composition root: the only file that knows all the others, and the settings."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, WebSocketRoute

from gateway.auth.authority import Authority
from gateway.auth.jwks import KeyCache
from gateway.auth.tokens import Tokens
from gateway.core.ids import SessionId
from gateway.core.policy import Policy
from gateway.engines import choose_engines
from gateway.errors import SettingsError
from gateway.models import choose_agents, names_of
from gateway.protocol.decoding import Limits
from gateway.runtime import retention
from gateway.runtime.choice import Agents
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.ports import Agent
from gateway.runtime.registry import Registry
from gateway.settings import Settings, with_secrets
from gateway.store.export import export
from gateway.store.sqlite import SqliteStore
from gateway.tls import EVERYWHERE, own_addresses
from gateway.transports import admission, documents, failures, links, network, pages, rest, webrtc, websocket
from gateway.transports.alias import Alias
from gateway.transports.connection import Services
from gateway.transports.guard import Guard, Rules
from gateway.transports.lifetime import Lifetimes
from gateway.transports.names import Names
from gateway.transports.overload import Rule
from gateway.transports.routes import OPERATIONS, routes
from media.leg import Engines
from media.peer import send_lateness

log = logging.getLogger(__name__)

EVICT_EVERY_S = 60.0
DAY_S = 24 * 3600
DATABASE = "bargein.sqlite"

OPEN: Final = (
    "NO AUTHENTICATION: whoever reaches this address may read and steer every conversation. It is loopback, so that "
    "is everybody at this machine. Ask for a --token, or for JSON Web Tokens (--auth-secret, --auth-issuers)."
)
"""Said where nothing is asked for."""


def create_app(
    settings: Settings,
    *,
    agent: Agent | None = None,
    engines: Engines | None = None,
    lateness: admission.Lateness | None = None,
) -> Starlette:
    """The gateway as an ASGI application, to be served or mounted. Raises ``SettingsError``.

    *agent* and *engines* take the place of those that the settings name, *lateness* of what is measured.
    """
    settings = with_secrets(settings)
    agents = choose_agents(settings, agent)
    engines = engines or choose_engines(settings, optional=all(it.hears and it.speaks for it in agents.all))
    names = names_of(settings, engines) if agent is None else Names()
    if engines is not None and any(agent.hears for agent in agents.all):
        engines = replace(engines, keeps_turns=True)
    others = own_addresses() if settings.host in EVERYWHERE else ()
    rules = Rules(
        tuple(host.lower() for host in (settings.host, *settings.hosts, *others)),
        tuple(origin.lower() for origin in settings.origins),
    )
    authority = _authority(settings, SystemClock())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with _running(app, settings, agents, names, engines), _measured(app, lateness):
            yield

    app = Starlette(
        routes=[
            *routes(OPERATIONS),
            WebSocketRoute("/v1/realtime", websocket.realtime),
            Mount("/web", pages.Files(directory=pages.WEB)),
        ],
        middleware=[Middleware(Alias), Middleware(Guard, rules=rules, authority=authority)],
        exception_handlers={HTTPException: failures.no_such_thing, Exception: failures.fault_of_ours},
        lifespan=lifespan,
    )
    app.state.authority = authority
    return app


def _authority(settings: Settings, clock: Clock) -> Authority:
    """Who knows credentials; with a warning where everybody is let in."""
    secret, issuers = settings.signing_key or None, settings.issuers
    tokens = None
    if secret is not None or issuers:
        keys = KeyCache(issuers, clock.now)
        tokens = Tokens(settings.auth_issuer, settings.auth_audience, secret, keys)
    journal = Path(settings.data) / "revocations.jsonl"
    if not settings.asks_who:
        log.warning(OPEN)
    return Authority(clock.wall, clock.token, token=settings.token, tokens=tokens, issuers=issuers, journal=journal)


@contextlib.asynccontextmanager
async def _running(
    app: Starlette, settings: Settings, agents: Agents, names: Names, engines: Engines | None
) -> AsyncIterator[None]:
    """Everything that lives as long as the server does, closed in the reverse order."""
    database = _database(settings)
    app.state.authority.recall()
    store = await SqliteStore.open(database)
    clock = SystemClock()
    policy = Policy(after_empty_cut=settings.after_empty_cut, after_missed_steer=settings.after_missed_steer)
    registry = Registry(store, agents, clock, policy)
    limits = Limits(settings.max_event_bytes, settings.max_append_bytes)
    app.state.services = Services(
        registry,
        store,
        clock,
        limits,
        engines,
        _about(engines),
        _admission(settings),
        instructions=settings.instructions,
        context=settings.given_of_long_ones,
        authority=app.state.authority,
        commands_a_second=settings.max_commands,
        lifetimes=Lifetimes(settings.max_session_minutes, clock.wall),
        names=names,
    )
    app.state.calls = webrtc.Calls()
    app.state.reach = links.Reach(own_addresses() if settings.host in EVERYWHERE else ())
    app.state.posts = rest.Posts()
    app.state.documents = documents.Documents(OPERATIONS, secured=settings.asks_who)
    app.state.offers = network.Offers(settings.max_offers)
    app.state.network = network.Network(
        settings.ports,
        settings.rtc_public_ip,
        settings.stun_servers,
        network.Turn(settings.turn_servers, settings.turn_username, settings.turn_credential, settings.turn_secret),
        settings.max_event_bytes,
        "stock" if settings.media == "stock" else "direct",
    )
    await _warm_up(*agents.all, engines)
    chores = [
        asyncio.create_task(_evict(registry), name="evict"),
        asyncio.create_task(app.state.authority.run(), name="expiry"),
        asyncio.create_task(app.state.services.lifetimes.run(), name="lifetimes"),
        asyncio.create_task(retention.watch(store, _keep(settings), registry, clock), name="retention"),
    ]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
        await app.state.calls.aclose()
        await registry.aclose()
        await agents.aclose()
        if engines is not None:
            await engines.synthesizer.aclose()
            await engines.recognizer.aclose()
        await store.aclose()


def _admission(settings: Settings) -> admission.Admission:
    late_ms = settings.max_late_ms or float("inf")
    limits = admission.Limits(
        settings.max_calls, settings.max_connections, settings.max_per_user, settings.max_per_address
    )
    return admission.Admission(limits, Rule(late_ms=late_ms, in_time_ms=late_ms / 2))


@contextlib.asynccontextmanager
async def _measured(app: Starlette, lateness: admission.Lateness | None) -> AsyncIterator[None]:
    """Watch how late the process is, as long as it serves."""
    services, loop = app.state.services, admission.LoopLateness()

    def measured() -> admission.Late:
        # Only WebRTC calls send by a clock of ours; without one the loop's own lateness is all there is to see.
        sent = send_lateness()
        return sent if sent.count else loop()

    chores = [
        asyncio.create_task(loop.run(), name="lateness"),
        asyncio.create_task(admission.watch(services.admission, lateness or measured, services.clock.now), name="load"),
    ]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()


async def end_sessions(app: Starlette) -> None:
    """End every call and session while the server still serves, so that their clients are told why."""
    await app.state.calls.aclose()
    await app.state.services.registry.aclose()


async def _warm_up(*parts: object) -> None:
    """Let whoever has something to load do it before the first user waits for it."""
    warm_ups = [part.warm_up() for part in _flat(parts) if hasattr(part, "warm_up")]
    for result in await asyncio.gather(*warm_ups, return_exceptions=True):
        if isinstance(result, Exception):
            log.warning("warm-up failed; the first use may be slow, or fail", exc_info=result)


def _flat(parts: tuple[object, ...]) -> list[object]:
    flat: list[object] = []
    for part in parts:
        flat += [part.synthesizer, part.recognizer] if isinstance(part, Engines) else [part]
    return flat


async def _evict(registry: Registry) -> None:
    while True:
        await asyncio.sleep(EVICT_EVERY_S)
        registry.evict_idle()


def _keep(settings: Settings) -> retention.Keep:
    return retention.Keep(settings.keep_days * DAY_S or inf, settings.keep_mb * 1_000_000 or inf)


async def export_session(data: Path, session: str) -> AsyncGenerator[bytes, None]:
    """A session as JSON lines, from a log that no gateway uses. Raises ``SettingsError``, ``StoreError``."""
    path = data / DATABASE
    if not path.exists():
        raise SettingsError(f"There is no log of conversations in {data}.")
    store = await SqliteStore.open(path)
    try:
        found = False
        async for line in export(store, SessionId(session)):
            found = True
            yield line
    finally:
        await store.aclose()
    if not found:
        raise SettingsError("There is no session with this id.")


def _database(settings: Settings) -> Path:
    directory = Path(settings.data)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"Setting 'data' is wrong: the directory cannot be made ({error.strerror}).") from error
    return directory / DATABASE


def _about(engines: Engines | None) -> dict[str, Any]:
    return {
        "voice": engines is not None,
        "synthesizer": type(engines.synthesizer).__name__.lower() if engines else None,
        "recognizer": engines.recognizer.name if engines else None,
    }
