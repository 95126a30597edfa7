"""The command ``bargein``: ``serve``, ``replay`` recordings to a gateway, mint a ``token``, ``export`` a session."""

import asyncio
import contextlib
import gc
import inspect
import logging
import os
import signal
import socket
import sys
import webbrowser
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # 20 ms frames are too short to share among threads

import typer
import uvicorn
from rich.console import Console
from starlette.applications import Starlette

from gateway import settings as conf
from gateway.auth.authority import FOR_OTHERS
from gateway.auth.minting import claims_for
from gateway.auth.rights import EVERYTHING
from gateway.core.ids import DEFAULT_TENANT
from gateway.errors import GatewayError, SettingsError
from gateway.runtime.clock import SystemClock
from gateway.settings import Settings

Transport: TypeAlias = Literal["webrtc", "websocket"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _bargein() -> None:
    """A self-hosted gateway for conversations with an AI that people can interrupt."""


def _serve(config: Path | None, no_browser: bool, given: dict[str, Any]) -> None:
    conf.check_environment(os.environ)
    settings = Settings(**given)
    _log(settings.log_level.upper())
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(settings, open_browser=not no_browser))


def _log(level: str) -> None:
    """Libraries only warn: what they say beside that holds headers, addresses and whole SDPs."""
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    root = logging.getLogger()
    for ours in ("gateway", "media"):
        logging.getLogger(ours).setLevel(root.level)
    root.setLevel(max(root.level, logging.WARNING))


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: Settings, *, open_browser: bool) -> None:
    from gateway.app import create_app
    from gateway.transports import keepalive

    listener = _listen(settings)
    with listener:
        app = create_app(settings)
        async with contextlib.AsyncExitStack() as running:
            # Not by uvicorn: what keeps a gateway from starting is a sentence of ours, not a traceback in its log.
            await running.enter_async_context(app.router.lifespan_context(app))
            certificate, key = _certificate(settings)
            config = uvicorn.Config(
                app,
                ssl_certfile=certificate,
                ssl_keyfile=key,
                lifespan="off",
                http=keepalive.HttpProtocol,
                ws=keepalive.Protocol,
                ws_max_size=settings.max_append_bytes + 1024,
                ws_per_message_deflate=False,
                ws_ping_interval=keepalive.PING_EVERY_S,
                ws_ping_timeout=keepalive.PONG_WITHIN_S,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=3,
            )
            server = _Server(config, listener, app, running, open_browser=open_browser)
            await server.serve(sockets=[listener])
    if not server.started:
        raise SettingsError("The gateway could not start; the log above says why.")


class _Server(uvicorn.Server):
    """Says when it listens, and on which port; ends what is *running* before it gives way to a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        app: Starlette,
        running: contextlib.AsyncExitStack,
        *,
        open_browser: bool,
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._app = app
        self._running = running
        self._open_browser = open_browser

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from gateway.app import end_sessions

        await end_sessions(self._app)
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=1.0)  # they tell their clients; uvicorn would only hang up on them
        await super().shutdown(sockets)
        await self._running.aclose()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What was imported stays. To look through it for garbage would hold up every call's sound for 60 ms.
            gc.collect()
            gc.freeze()
            host, port = self._listener.getsockname()[:2]
            scheme = "https" if self.config.is_ssl else "http"
            url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            typer.echo(f"listening on {url}")
            for address in _reached_at(host):
                typer.echo(f"on your network: {scheme}://{address}:{port}")
            if self._app.state.authority.is_open:
                typer.echo("NO AUTHENTICATION: everybody at this machine is an administrator here.", err=True)
            sys.stdout.flush()
            if self._open_browser:
                webbrowser.open(url)


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, settings.port), family=family, backlog=512)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(f"Cannot listen on {where}: {error.strerror}. Choose another --port.") from error
    listener.setblocking(False)
    return listener


def _reached_at(host: str) -> tuple[str, ...]:
    """Where others in the network reach who listens on *host*, beyond that."""
    from gateway.tls import EVERYWHERE, own_addresses

    return own_addresses() if host in EVERYWHERE else ()


def _certificate(settings: Settings) -> tuple[str | None, str | None]:
    """Files of the certificate and of its key; None where there is no TLS."""
    if settings.tls != "dev":
        return settings.tls_cert or None, settings.tls_key or None
    from gateway.tls import development_certificate, own_addresses

    names = ("localhost", "127.0.0.1", *settings.hosts, *own_addresses())
    try:
        certificate, key = development_certificate(Path(settings.data) / "tls", names)
    except OSError as error:
        raise SettingsError(f"The certificate cannot be made: {error.strerror}.") from error
    return str(certificate), str(key)


def _build_serve() -> Any:
    """The ``serve`` command, with one option for each field of ``Settings``."""

    def serve(ctx: typer.Context, config: Path | None = None, no_browser: bool = False, **given: Any) -> None:
        """Serve a gateway. Flags win over the environment, the environment over the file."""
        _serve(config, no_browser, given)

    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Path | None,
                typer.Option(
                    envvar="BARGEIN_CONFIG", is_eager=True, callback=_load_file, help="TOML file of settings."
                ),
            ],
        ),
        inspect.Parameter(
            "no_browser",
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")],
        ),
    ]
    for setting in fields(Settings):
        secret = not setting.repr
        option = typer.Option(
            envvar=conf.variables(setting.name), help=conf.help_of(setting.name), show_default=not secret
        )
        parameters.append(
            inspect.Parameter(
                setting.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=setting.default,
                annotation=Annotated[setting.type, option],
            )
        )
    serve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads the signature
    serve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return serve


def _load_file(ctx: typer.Context, value: Path | None) -> Path | None:
    """Let the file give what neither a flag nor the environment gives."""
    if value is not None:
        ctx.default_map = {**(ctx.default_map or {}), **conf.read_file(value)}
    return value


app.command("serve")(_build_serve())


@app.command("replay")
def _replay(
    steps: Annotated[
        list[str],
        typer.Argument(
            metavar="STEP...",
            help="file.wav, or file.wav@EVENT+MILLISECONDS: play when that server event has been seen for so long; "
            "@speaking is the first audible sound of the answer.",
        ),
    ],
    url: Annotated[str | None, typer.Option(help="The gateway; else the one on port 8080, or else a new one.")] = None,
    transport: Annotated[Transport, typer.Option(help="How to connect.")] = "webrtc",
    json: Annotated[Path | None, typer.Option(help="Write events, transcripts, responses, interruptions.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write a stereo WAV: caller left, answer right.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for all of it.")] = 120.0,
    settle_ms: Annotated[int, typer.Option(help="So long nothing happens before a step counts as answered.")] = 1500,
    to_the_end: Annotated[
        bool, typer.Option("--to-the-end", help="Hear the last answer out; else 10 s of it.")
    ] = False,
    token: Annotated[str, typer.Option(envvar="BARGEIN_TOKEN", help="The gateway's token.", show_default=False)] = "",
) -> None:
    """Play recordings to a gateway as a caller would, and tell what happened, when."""
    from gateway.replay import ReplayOptions, parse, replay

    options = ReplayOptions(
        steps=tuple(parse(step) for step in steps),
        url=url,
        transport=transport,
        json_path=json,
        record_path=record,
        settle_ms=settle_ms,
        listen_ms=None if to_the_end else 10_000,
        timeout_s=timeout,
        token=token or None,
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        report = runner.run(replay(options, Console(highlight=False)))
    if not report.ok:
        raise typer.Exit(1)


@app.command("token")
def _token(
    user: Annotated[str, typer.Option(help="Who presents it.")],
    tenant: Annotated[str, typer.Option(help="Whose sessions it is about.")] = DEFAULT_TENANT,
    rights: Annotated[str, typer.Option(help="Separated by commas; * for all.")] = ",".join(sorted(FOR_OTHERS)),
    session: Annotated[
        str, typer.Option(help="SESSION or USER:SESSION, * for anything, separated by commas.")
    ] = EVERYTHING,
    expires: Annotated[int, typer.Option(help="Seconds for which it is good.")] = 3600,
    auth_secret: Annotated[
        str, typer.Option(envvar="BARGEIN_AUTH_SECRET", help=conf.help_of("auth_secret"), show_default=False)
    ] = "",
    auth_secret_file: Annotated[
        str, typer.Option(envvar="BARGEIN_AUTH_SECRET_FILE", help=conf.help_of("auth_secret_file"))
    ] = "",
    auth_issuer: Annotated[
        str, typer.Option(envvar="BARGEIN_AUTH_ISSUER", help=conf.help_of("auth_issuer"))
    ] = "bargein",
    auth_audience: Annotated[
        str, typer.Option(envvar="BARGEIN_AUTH_AUDIENCE", help=conf.help_of("auth_audience"))
    ] = "bargein",
    _config: Annotated[
        Path | None,
        typer.Option("--config", envvar="BARGEIN_CONFIG", is_eager=True, callback=_load_file, help="TOML of settings."),
    ] = None,
) -> None:
    """Print a JSON Web Token, signed by the gateway's secret, and nothing else."""
    from gateway.auth.tokens import mint

    given = Settings(
        auth_secret=auth_secret,
        auth_secret_file=auth_secret_file,
        auth_issuer=auth_issuer,
        auth_audience=auth_audience,
    )
    settings = conf.with_secrets(given)
    if not settings.signing_key:
        raise SettingsError("A token is signed by a secret: give --auth-secret-file or BARGEIN_AUTH_SECRET.")
    clock = SystemClock()
    wanted, sessions = rights.replace(",", " ").split(), session.replace(",", " ").split()
    try:
        claims = claims_for(
            user, tenant, wanted, sessions, token_id=f"token_{clock.token()}", now=clock.wall(), lasts_s=expires
        )
    except ValueError as error:
        raise SettingsError(f"No token: {error}.") from error
    typer.echo(mint({**claims, "iss": settings.auth_issuer, "aud": settings.auth_audience}, settings.signing_key))


@app.command("export")
def _export(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id, as sess_….")],
    data: Annotated[
        Path, typer.Option(envvar=conf.variables("data"), help="Directory of the log; its gateway must not be running.")
    ] = Path(str(Settings.__dataclass_fields__["data"].default)),
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else standard output.")] = None,
) -> None:
    """Write a conversation as JSON lines: one about the session, then each of its facts, with the words."""
    asyncio.run(_write_export(data, session, output))


async def _write_export(data: Path, session: str, output: Path | None) -> None:
    from gateway.app import export_session

    async with contextlib.aclosing(export_session(data, session)) as lines:
        first = await anext(lines)  # whatever is wrong is said before a file is made
        with output.open("wb") if output is not None else contextlib.nullcontext(sys.stdout.buffer) as file:
            file.write(first)
            async for line in lines:
                file.write(line)


def main() -> None:
    """Run the command; what was wrong with a setting is one sentence, not a traceback."""
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT) or signal.default_int_handler)
    try:
        app()
    except GatewayError as error:
        Console(stderr=True).print(f"bargein: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
