"""Removing an item's words, on the wire."""

from typing import ClassVar

from gateway.protocol.realtime import ClientEvent, ServerEvent


class ItemRedact(ClientEvent, tag="conversation.item.redact"):
    """Remove what an item says, on every device and from the log, for good. Its place stays."""

    item_id: str


class ItemRedacted(ServerEvent, tag="conversation.item.redacted"):
    """What this item said is gone: forget it. The item itself is still part of the conversation."""

    extension: ClassVar[bool] = True
    item_id: str
