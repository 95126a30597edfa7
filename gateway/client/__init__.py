"""A client for Bargein, for Python programs::

    async with connect("http://127.0.0.1:8080") as conversation:
        await conversation.send("Tell me a story.", on_active="interrupt")
        async for event in conversation:
            ...

:mod:`.protocol` is the client without I/O; :mod:`.conversation` puts it on a WebSocket. ``docs/clients.md`` has more.
"""

from gateway.client import events
from gateway.client.backoff import Backoff
from gateway.client.conversation import Conversation, Sent, connect
from gateway.client.errors import ClientError, CommandFailed, CommandRejected, ConnectionRefused, GatewayUnreachable
from gateway.client.items import Item
from gateway.client.protocol import ClientProtocol, Receipt

__all__ = [
    "Backoff",
    "ClientError",
    "ClientProtocol",
    "CommandFailed",
    "CommandRejected",
    "ConnectionRefused",
    "Conversation",
    "GatewayUnreachable",
    "Item",
    "Receipt",
    "Sent",
    "connect",
    "events",
]
