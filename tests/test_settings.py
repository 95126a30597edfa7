"""Settings: where they come from, and what the command says when one is wrong."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.errors import SettingsError
from gateway.settings import (
    Settings,
    check_environment,
    help_of,
    is_loopback,
    read_file,
    secrets,
    variables,
    with_secrets,
)

NAMES = [field.name for field in fields(Settings)]
LIMIT_S = 20
LONG = "s" * 32

Json = dict[str, Any]


# --- values ---


def test_the_defaults_are_allowed() -> None:
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"port": -1}, {"port": 65536}, {"agent": "nobody"}, {"base_url": "example.com"}, {"log_level": "loud"}),
        *(
            {"synthesizer": "x"},
            {"detector": "mine"},
            {"recognizer": "espeak"},
            {"after_empty_cut": "shout"},
            {"after_missed_steer": "shout"},
            {"steer": "loud"},
            {"media": "x"},
        ),
        *({"max_event_bytes": 10}, {"max_append_bytes": 0}, {"host": "0.0.0.0"}, {"max_offers": -1}),
        *({"rtc_public_ip": wrong} for wrong in ("example.com", "127.0.0.1", "0.0.0.0", "300.1.1.1", "224.0.0.1")),
        *({"rtc_ports": wrong} for wrong in ("50000", "50000-", "0-10", "10-9", "1-65536", "a-b", "50000-50010,5")),
        *({"stun": wrong} for wrong in ("example.com", "http://x", "stun:", "stun:x:y", "turn:x", "stun:x,y")),
        *({"auth_secret": "x" * 31}, {"auth_issuer": ""}, {"auth_issuers": "bargein=https://x/k"}),
        *({"auth_issuers": wrong} for wrong in ("a", "a=", "=https://a", "a=ftp://b", "a=http://b", "a=file:///etc/x")),
        *({"auth_issuers": wrong} for wrong in ("a=https://b,a=https://c", "a=https://", "a=http://127.0.0.1.evil/")),
        *({"turn": wrong} for wrong in ("example.com", "stun:x", "turn:x?transport=sctp", "turn:x")),
    ],
)
def test_a_wrong_value_is_named(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(SettingsError, match=f"Setting '{name}' is wrong: "):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_the_network_can_be_said() -> None:
    known = Settings(rtc_ports="50000-50009", stun="stun:a, stun:b:3479", rtc_public_ip="203.0.113.7")
    assert known.ports == range(50_000, 50_010)
    assert known.stun_servers == ("stun:a", "stun:b:3479")
    assert Settings().ports is None


NAMED, SHARED = {"turn_username": "u", "turn_credential": "p"}, {"turn_secret": "s"}


@pytest.mark.parametrize("given", [NAMED, SHARED])
def test_a_turn_server_lets_in_by_name_or_by_a_shared_secret(given: dict[str, str]) -> None:
    assert Settings(turn="turns:a:443?transport=tcp", **given).turn_servers == ("turns:a:443?transport=tcp",)  # type: ignore[arg-type]
    assert "'p'" not in repr(Settings(turn="turn:a", **given))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="'turn' is wrong"):
        Settings(**given)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="'turn' is wrong"):
        Settings(turn="turn:a", **NAMED, **SHARED)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_this_machine_alone_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    Settings(host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", "", "localhost.example.com", "127.1"])
def test_an_address_that_others_can_reach_needs_a_token(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(SettingsError, match="token"):
        Settings(host=host)
    Settings(host=host, token="k3y")
    Settings(host=host, auth_secret=LONG)
    Settings(host=host, auth_secret_file="secret")
    Settings(host=host, auth_issuers="https://a=https://a/keys")


def test_issuers_and_their_keys_are_fixed() -> None:
    known = Settings(auth_issuers="https://a.example/=https://a.example/keys?a=b, b=http://127.0.0.1:1/k")
    assert known.issuers == {"https://a.example/": "https://a.example/keys?a=b", "b": "http://127.0.0.1:1/k"}


@pytest.mark.parametrize("name", secrets())
def test_each_secret_is_given_or_in_a_file(tmp_path: Path, name: str) -> None:
    for_turn: Json = {"turn": "turn:x", "turn_username": "ada" if name == "turn_credential" else ""}
    beside = for_turn if name.startswith("turn_") else {}
    file: Json = {f"{name}_file": str(written(tmp_path, f"{LONG}\n"))}
    known = with_secrets(Settings(**file, **beside))
    assert (getattr(known, name), getattr(known, f"{name}_file")) == (LONG, "")
    for wrong in (tmp_path / "none", tmp_path, written(tmp_path, " \n")):
        with pytest.raises(SettingsError, match=f"'{name}_file' is wrong"):
            with_secrets(Settings(**file | {f"{name}_file": str(wrong)}, **beside))
    with pytest.raises(SettingsError, match=f"'{name}' is wrong: it goes without"):
        Settings(**file | {name: LONG}, **beside)


def test_the_secret_of_tokens_may_be_any_bytes_but_not_few(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(bytes(range(200, 240)))
    assert with_secrets(Settings(auth_secret_file=str(path))).signing_key == bytes(range(200, 240))
    with pytest.raises(SettingsError, match="at least 32 bytes"):
        with_secrets(Settings(auth_secret_file=str(written(tmp_path, "short"))))


def test_a_secret_in_a_file_lets_others_reach_the_gateway(tmp_path: Path) -> None:
    assert Settings(host="0.0.0.0", token_file="x").asks_who
    assert Settings(host="0.0.0.0", auth_secret_file="x").asks_who


def test_lists_are_separated_by_commas() -> None:
    settings = Settings(allow_origin=" https://a.example, https://b.example ,", allow_host="a.example")
    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.hosts == ("a.example",)


def test_secrets_do_not_show() -> None:
    given: Json = {name: f"s3cret-{name}" * 4 for name in secrets() if name != "turn_credential"}
    assert "s3cret" not in repr(Settings(turn="turn:x", **given))
    assert "s3cret" not in repr(Settings(turn="turn:x", turn_username="ada", turn_credential="s3cret"))


# --- the environment ---


def test_every_setting_has_a_sentence_and_a_variable() -> None:
    for name in NAMES:
        assert help_of(name).endswith(".")
        assert variables(name)[0] == f"BARGEIN_{name.upper()}"


def test_a_misspelt_variable_is_named() -> None:
    check_environment({"BARGEIN_PORT": "1", "BARGEIN_CONFIG": "x", "PATH": "x", "OPENAI_API_KEY": "x"})
    with pytest.raises(SettingsError, match="BARGEIN_PROT"):
        check_environment({"BARGEIN_PROT": "1"})


# --- the file ---


def written(folder: Path, text: str) -> Path:
    path = folder / "bargein.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_settings(tmp_path: Path) -> None:
    assert read_file(written(tmp_path, 'port = 9000\nmodel = "m"\n')) == {"port": 9000, "model": "m"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("prot = 1", "prot"),
        ("port = '9000'", "port"),
        ("port = 9000.0", "port"),
        ("port = true", "port"),
        ("[serve]\nport = 1", "serve"),
        ("port =", "TOML"),
        ("port = 1\nport = 2", "TOML"),
        ("\ud800", "TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_is_wrong(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "bargein.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SettingsError, match=names):
        read_file(path)


def test_a_file_that_is_not_there_is_told_without_a_traceback(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_file(path)


# --- the command ---

COMMAND = (sys.executable, "-m", "gateway.cli", "serve", "--no-browser")
QUIET = {"BARGEIN_AGENT": "offline", "BARGEIN_SYNTHESIZER": "none", "BARGEIN_RECOGNIZER": "none"}
QUIET["BARGEIN_LOG_LEVEL"] = "error"


def environment(**given: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BARGEIN_", "OPENAI_"))}
    return {**kept, **QUIET, "COLUMNS": "200", "PYTHONWARNINGS": "error", **given}


def refused(*flags: str, **given: str) -> str:
    """What the command says on its standard error, having ended with 2 and no traceback."""
    done = subprocess.run((*COMMAND, *flags), env=environment(**given), capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return re.sub(r"\s+", " ", done.stderr)


@pytest.mark.process
def test_a_wrong_flag_variable_or_value_ends_the_command_with_a_sentence(tmp_path: Path) -> None:
    file = str(written(tmp_path, "prot = 1"))
    assert "--prot" in refused("--prot", "1")
    assert "BARGEIN_PROT" in refused(BARGEIN_PROT="1")
    assert "'prot'" in refused("--config", file)
    assert "'prot'" in refused(BARGEIN_CONFIG=file)
    assert "port" in refused("--port", "many")
    assert "'port'" in refused("--port", "70000")
    assert "'host'" in refused("--host", "0.0.0.0")
    assert "token" in refused(BARGEIN_HOST="0.0.0.0")
    assert "no_such_module" in refused("--agent", "no_such_module:reply")
    assert "cannot be read" in refused("--config", str(tmp_path / "none.toml"))
    assert "'data'" in refused("--data", file, "--port", "0")


@pytest.mark.process
def test_a_log_that_another_gateway_holds_is_told(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0"):
        assert "in use by another gateway" in refused("--data", str(tmp_path / "data"), "--port", "0")


@pytest.mark.process
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused("--port", str(port), "--data", str(tmp_path))
    assert f"127.0.0.1:{port}" in told
    assert "--port" in told


@pytest.mark.process
def test_the_help_tells_every_setting_with_its_sentence_and_its_default() -> None:
    done = subprocess.run((*COMMAND, "--help"), env=environment(), capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0
    shown = re.sub(r"[\s│]+", " ", done.stdout)
    for name in NAMES:
        assert f"--{name.replace('_', '-')}" in shown
        assert f"BARGEIN_{name.upper()}" in shown
        assert help_of(name).split(":")[0] in shown
    assert "8080" in shown


class Serving:
    """The command, serving."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().strip().rpartition(" ")[2]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def end(self, by: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what it said on standard error."""
        self.process.send_signal(by)
        _, said = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, said


@contextmanager
def serving(folder: Path, *flags: str, **given: str) -> Iterator[Serving]:
    process = subprocess.Popen(
        (*COMMAND, "--data", str(folder / "data"), *flags),
        env=environment(**given),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Serving(process)
        finally:
            process.kill()


@pytest.mark.process
def test_a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'instructions = "file"\nmodel = "file"\nlog_level = "error"\nport = 1\nagent = "openai_chat"\n',
    )
    flags = ("--config", str(file), "--instructions", "flag", "--port", "0")
    given = {"BARGEIN_INSTRUCTIONS": "environment", "BARGEIN_PORT": "2"}

    async def instructions(port: int) -> str:
        async with connect(f"ws://127.0.0.1:{port}/v1/realtime") as connection:
            return str(json.loads(await connection.recv())["session"]["instructions"])

    with serving(tmp_path, *flags, **given) as gateway:  # the port of a flag, the agent of the environment
        assert asyncio.run(instructions(gateway.port)) == "flag"
    with serving(tmp_path, "--config", str(file), "--port", "0", BARGEIN_INSTRUCTIONS="environment") as gateway:
        assert asyncio.run(instructions(gateway.port)) == "environment"
    with serving(tmp_path, "--config", str(file), "--port", "0") as gateway:
        assert asyncio.run(instructions(gateway.port)) == "file"
    with serving(tmp_path, "--port", "0") as gateway:
        assert asyncio.run(instructions(gateway.port)) == ""


@pytest.mark.process
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_gateway_cleanly_and_its_clients_are_told(tmp_path: Path, by: signal.Signals) -> None:
    async def closed(gateway: Serving) -> tuple[int, str, int]:
        uri = f"ws://127.0.0.1:{gateway.port}/v1/realtime"
        headers = {"Authorization": "Bearer k3y"}
        async with connect(uri, subprotocols=[Subprotocol("bargein.v1")], additional_headers=headers) as connection:
            await connection.recv()
            code, said = await asyncio.to_thread(gateway.end, by)
            await connection.wait_closed()
            return code, said, connection.close_code or 0

    with serving(tmp_path, "--port", "0", BARGEIN_TOKEN="k3y") as gateway:
        assert asyncio.run(closed(gateway)) == (0, "", 1001)


@pytest.mark.process
def test_a_gateway_without_authentication_says_so_loudly(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as gateway:
        assert "NO AUTHENTICATION" in gateway.end(signal.SIGTERM)[1]
    with serving(tmp_path, "--port", "0", BARGEIN_LOG_LEVEL="warning") as gateway:
        assert gateway.end(signal.SIGTERM)[1].count("NO AUTHENTICATION") == 2
    with serving(tmp_path, "--port", "0", BARGEIN_AUTH_SECRET="s" * 32, BARGEIN_LOG_LEVEL="warning") as gateway:
        assert "AUTHENTICATION" not in gateway.end(signal.SIGTERM)[1]


@pytest.mark.process
def test_a_signal_while_an_answer_is_given_keeps_what_was_said_of_it(tmp_path: Path) -> None:
    async def talk(port: int, query: str, *sent: Json, until: str) -> Json:
        uri = f"ws://127.0.0.1:{port}/v1/realtime?{query}"
        async with connect(uri, subprotocols=[Subprotocol("bargein.v1")]) as connection:
            for event in sent:
                await connection.send(json.dumps(event))
            while True:
                received: Json = json.loads(await connection.recv())
                if received["type"] == until:
                    return received

    words = [{"type": "input_text", "text": "Tell me a long story about the sea."}]
    item = {"type": "message", "role": "user", "content": words}
    ask: list[Json] = [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]
    with serving(tmp_path, "--port", "0") as gateway:
        created = asyncio.run(talk(gateway.port, "", until="session.created"))
        session = created["session"]["id"]
        asyncio.run(talk(gateway.port, f"session={session}", *ask, until="response.output_text.delta"))
        assert gateway.end(signal.SIGTERM)[0] == 0
    with serving(tmp_path, "--port", "0") as gateway:
        snapshot = asyncio.run(talk(gateway.port, f"session={session}", until="session.snapshot"))
        said = [(it["role"], it["status"], bool(it["content"][0]["text"])) for it in snapshot["items"]]
        assert said == [("user", "completed", True), ("assistant", "incomplete", True)]


@pytest.mark.parametrize(
    "name", ["max_calls", "max_connections", "max_per_user", "max_per_address", "max_commands", "max_late_ms"]
)
def test_a_limit_is_not_below_zero(name: str) -> None:
    given: dict[str, Any] = {name: -1}
    with pytest.raises(SettingsError, match=name):
        Settings(**given)
