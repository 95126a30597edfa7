"""Which clients there are, at which version, and how each is run."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.clients.cases import CASES, FRAMES

ROOT: Final = Path(__file__).parents[2]
NODE: Final = ROOT / "tests" / "clients" / "node"
ENVIRONMENTS: Final = ROOT / ".clients"

OWN: Final = "dev"
"""The environment of the tests themselves."""


@dataclass(frozen=True, slots=True)
class Stock:
    """A client. A module of ``drivers`` or a file of ``node`` is its ``program``."""

    name: str
    package: str
    environment: str
    """The lock that names its version: ``dev``, another of Python's, or ``node``."""

    program: str
    over: str = "WebSocket"
    serving: tuple[str, ...] = ()
    """Further options of ``bargein serve``."""

    cases: Mapping[str, str] = field(default_factory=lambda: CASES)

    def version(self) -> str:
        """What the lock says; nothing for what is our own."""
        if not self.package:
            return ""
        if self.environment == "node":
            packages = json.loads((NODE / "package-lock.json").read_text("utf-8"))["packages"]
            return str(packages[f"node_modules/{self.package}"]["version"])
        name = OWN if self.environment == OWN else f"clients-{self.environment}"
        lock = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        match = re.search(rf"^{re.escape(self.package)}==([^ ;\\]+)", lock, re.MULTILINE)
        assert match is not None, f"{self.package} is not in the lock {name}"
        return match[1]

    @property
    def command(self) -> tuple[str, ...]:
        """What runs its program, in the root of the project."""
        if self.program.endswith(".mjs"):
            return ("node", str(NODE / self.program))
        return (str(self._python), "-m", f"tests.clients.drivers.{self.program}")

    @property
    def installed(self) -> bool:
        """Whether its environment is there."""
        return (NODE / "node_modules").is_dir() if self.environment == "node" else self._python.exists()

    @property
    def _python(self) -> Path:
        own = self.environment in (OWN, "node")
        return Path(sys.executable) if own else ENVIRONMENTS / self.environment / "bin" / "python"


CLIENTS: Final = (
    Stock("openai-python", "openai", OWN, "openai_python"),
    Stock("openai-agents (Python)", "openai-agents", "agents", "openai_agents"),
    Stock("@openai/agents-realtime (Node)", "@openai/agents-realtime", "node", "agents.mjs"),
    Stock(
        "@openai/agents-realtime (Chromium)",
        "@openai/agents-realtime",
        "node",
        "agents_page",
        "WebRTC",
        ("--allow-origin", "http://stock.localhost"),
    ),
    Stock("openai (npm)", "openai", "node", "openai.mjs", "WebSocket, TLS", ("--tls", "dev")),
    Stock("Pipecat", "pipecat-ai", "pipecat", "pipecat_service"),
    Stock("LiveKit Agents", "livekit-plugins-openai", "livekit", "livekit_plugin"),
    Stock("AI SDK", "@ai-sdk/openai", "node", "ai.mjs"),
)

WIRE: Final = Stock(
    "RFC 6455",
    "",
    OWN,
    "rfc6455",
    serving=("--synthesizer", "none", "--recognizer", "none"),
    cases=FRAMES,
)
"""No client, but WebSocket itself."""
