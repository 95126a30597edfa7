"""How one connection sees its session: what the projection remembers between events."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.core.ids import ItemId, LegId, ResponseId
from gateway.protocol import realtime as rt


@dataclass(slots=True)
class View:
    """How one connection sees its session."""

    leg: LegId
    extended: bool
    settings_changed: Callable[[], rt.AnySession]
    """The effective session object of this connection, now."""

    buffered: bool
    """True when ``output_audio_buffer.*`` means something: over WebRTC, and to extended clients."""

    spoken: set[ResponseId] = field(default_factory=set)
    """Responses that have sound and generate, so that their text is its transcript."""

    sounding: set[ResponseId] = field(default_factory=set)
    """Responses whose playout has begun and not ended."""

    output: dict[ResponseId, dict[ItemId, rt.Item | None]] = field(default_factory=dict)
    """The items of responses that have not ended, in their order; None for one that is not complete yet."""

    metadata: dict[ResponseId, dict[str, str]] = field(default_factory=dict)
    continues: dict[ResponseId, str] = field(default_factory=dict)
    replaces: dict[ResponseId, str] = field(default_factory=dict)

    asides: set[ResponseId] = field(default_factory=set)
    """Those of ``output`` that do not join the conversation, and whose message was opened."""

    limits: dict[ResponseId, int] = field(default_factory=dict)
    """The most tokens that responses may have, where that is bounded."""

    words: Callable[[], bool] = lambda: True
    """Whether the client wants to be told what its user says; one of the extension is told all the same."""

    converses: Callable[[], bool] = lambda: True
    """Whether it wants anything else: one that does not is told the words of each turn, also where there are none."""


def output_index(response_id: ResponseId, item_id: ItemId, view: View) -> int:
    """The place of an item in what a response gives out; the next one for an item that is new."""
    items = view.output.setdefault(response_id, {})
    items.setdefault(item_id, None)
    return list(items).index(item_id)
