"""The JSON examples of ``docs/protocol.md``: what is written there is what is tested."""

import json
import re
from pathlib import Path
from typing import Any, Final, get_args

from gateway.protocol import extension, messages, presence, realtime, transcription
from gateway.protocol.extension import AnyClientEvent, ExtendedEvent
from gateway.protocol.realtime import CallEvent, ClientEvent, PartEvent, ServerEvent

Json = dict[str, Any]

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "protocol.md"
_block: Final = re.compile(r"```json (client|server)\n(.*?)```", re.DOTALL)


def _tag(kind: type) -> str:
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]  # msgspec's own attribute of a tagged struct
    assert isinstance(tag, str)
    return tag


def _kinds(base: type) -> list[type]:
    found = [it for module in (realtime, transcription, extension, messages, presence) for it in vars(module).values()]
    no_events = (ClientEvent, ServerEvent, PartEvent, CallEvent, ExtendedEvent)
    return [kind for kind in found if isinstance(kind, type) and issubclass(kind, base) and kind not in no_events]


CLIENT_EVENTS: Final = {_tag(kind): kind for kind in get_args(AnyClientEvent)}
SERVER_EVENTS: Final = {_tag(kind): kind for kind in _kinds(ServerEvent)}
EXTENSION: Final = {tag for tag, kind in SERVER_EVENTS.items() if kind.extension}  # type: ignore[attr-defined]


def examples(side: str) -> list[Json]:
    """Every example of one side, ``client`` or ``server``, in the order of the document."""
    blocks = [match.group(2) for match in _block.finditer(DOCUMENT.read_text("utf-8")) if match.group(1) == side]
    return [json.loads(line) for block in blocks for line in block.splitlines() if line.strip()]
