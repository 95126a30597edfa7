"""What a program does with a conversation, and how it gets one."""

import random
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.client.backoff import Backoff
from gateway.client.events import Event
from gateway.client.items import Item
from gateway.client.link import Link
from gateway.client.protocol import ClientProtocol, Receipt
from gateway.client.wire import Wire, address, dial


@dataclass(frozen=True, slots=True)
class Sent:
    """A message was stored, and its answer asked for."""

    item_id: str
    receipt: Receipt


@asynccontextmanager
async def connect(
    url: str,
    *,
    session: str | None = None,
    device: str | None = None,
    token: str | Callable[[], str] | None = None,
    tls: ssl.SSLContext | None = None,
    backoff: Backoff | None = None,
) -> AsyncIterator["Conversation"]:
    """Join *session*, or open a new one, at the gateway at *url* (``http://127.0.0.1:8080``).

    *device* is an id that stays the same when this device comes back; None makes one. *token* may be a function, which
    is asked before each connection; one that came with a client secret goes on by what the gateway gives it.

    Entering waits until the conversation so far is there; afterwards a lost connection is replaced by itself. Leaving
    closes it, and cancels nothing. Raises :class:`ConnectionRefused`, :class:`GatewayUnreachable`; ``ValueError`` for
    what is no URL.
    """
    protocol = ClientProtocol(device or new_id("py-"), new_id, session=session)

    async def open_wire() -> Wire:
        given = token() if callable(token) else token
        return await dial(address(url, protocol.query()), token=protocol.about.get("resume_token", given), tls=tls)

    link = Link(protocol, open_wire, backoff or Backoff(random.random))
    try:
        await link.open()
        yield Conversation(link)
    finally:
        await link.aclose()


def new_id(prefix: str) -> str:
    """An id that nobody else has."""
    return prefix + secrets.token_hex(12)


class Conversation:
    """One device's view of a session. Get one from :func:`connect`; use it from one event loop."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._protocol = link.protocol

    # --- what is known ---

    @property
    def session_id(self) -> str:
        """To join the same conversation from elsewhere."""
        return self._protocol.session_id or ""

    @property
    def device(self) -> str:
        return self._protocol.device

    @property
    def about(self) -> dict[str, Any]:
        """Who answers, speaks and listens there: ``session.bargein``."""
        return self._protocol.about

    @property
    def connected(self) -> bool:
        """True while what is said arrives at once."""
        return self._protocol.caught_up

    @property
    def items(self) -> tuple[Item, ...]:
        """The conversation as far as it was told, oldest first; never changed, only replaced."""
        return self._protocol.items

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the responses that are being generated, oldest first."""
        return self._protocol.running

    def __aiter__(self) -> AsyncIterator[Event]:
        """What happens, to the end of the conversation. For one reader at a time.

        Of what is not read the last 4096 events are kept; then :class:`gateway.client.events.Missed` comes in place
        of the others. Raises :class:`ConnectionRefused` when the gateway does not let this client back in.
        """
        return self._link.events()

    # --- what can be done ---

    async def send(self, text: str, *, on_active: str | None = None, **response: Any) -> Sent:
        """Say something as the user, and ask for an answer.

        *on_active* says what becomes of an answer that is running (``"interrupt"``; by default the gateway's rule
        holds); *response* are options of this answer (``instructions=``, ``output_modalities=``, ``metadata=``).
        Raises as :meth:`command` does. When the answer is refused, the message stands.
        """
        item = _message("user", text)
        policy = {} if on_active is None else {"on_active": on_active}
        options = {"response": response} if response else {}
        _, receipt = await self._link.give(
            ("conversation.item.create", {"item": item}), ("response.create", {**policy, **options})
        )
        return Sent(item["id"], receipt)

    async def add(self, text: str, *, role: str = "user") -> Sent:
        """Put a message into the conversation, and ask for no answer. Raises as :meth:`command` does."""
        item = _message(role, text)
        return Sent(item["id"], await self.command("conversation.item.create", item=item))

    async def ask(self, *, on_active: str | None = None, **response: Any) -> Receipt:
        """Ask for an answer to what was said. Parameters as of :meth:`send`; raises as :meth:`command` does."""
        policy = {} if on_active is None else {"on_active": on_active}
        return await self.command("response.create", **policy, **({"response": response} if response else {}))

    async def cancel(self, response_id: str | None = None) -> Receipt:
        """Stop an answer, or whatever generates or sounds. Raises as :meth:`command` does."""
        return await self.command("response.cancel", **({} if response_id is None else {"response_id": response_id}))

    async def steer(self, text: str, *, response_id: str | None = None, **fields: Any) -> Receipt:
        """Redirect an answer, the one that runs unless it is named (``when=``). Raises as :meth:`command` does."""
        named = {} if response_id is None else {"previous_response_id": response_id}
        return await self.command("response.steer", input=[_message("user", text)], **named, **fields)

    async def pause(self) -> Receipt:
        """Hold the answer on all devices. Raises as :meth:`command` does."""
        return await self.command("output_audio_buffer.pause")

    async def resume(self) -> Receipt:
        """Let a held answer go on. Raises as :meth:`command` does."""
        return await self.command("output_audio_buffer.resume")

    async def delete(self, item_id: str) -> Receipt:
        """Take a message out of the conversation. Raises as :meth:`command` does."""
        return await self.command("conversation.item.delete", item_id=item_id)

    async def configure(self, **session: Any) -> Receipt:
        """``session.update``, with these fields. Raises as :meth:`command` does."""
        return await self.command("session.update", session=session)

    async def command(self, type: str, /, **fields: Any) -> Receipt:
        """Give any command of the protocol, and wait until it is applied and stored; it is applied once.

        A command that finds no connection waits for one. Who stops waiting (``asyncio.timeout``) withdraws it: it is
        not sent any more. Raises :class:`CommandRejected` when the gateway refuses it, :class:`CommandFailed` when it
        will not be answered, and ``ValueError`` for an event that is no command (:meth:`tell`).
        """
        (receipt,) = await self._link.give((type, fields))
        return receipt

    def tell(self, type: str, /, **fields: Any) -> bool:
        """Send an event that gets no receipt, as sound. False, and it is lost, while there is no connection."""
        return self._link.tell(type, fields)


def _message(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"id": new_id("item_"), "type": "message", "role": role, "content": content}
