"""What a connection may do: the right that each client event needs, and what becomes of one whose rights change."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from msgspec import UNSET

from gateway.auth.access import Access, Watch
from gateway.auth.authority import Authority
from gateway.auth.principal import invalid
from gateway.auth.rights import ALL, NONE, Right, Rights, names
from gateway.core import inputs as inp
from gateway.errors import AuthError, ProtocolViolation
from gateway.protocol import auth, extension as ext, messages, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.configuration import most_tokens

_READ, _SEND, _STEER, _CANCEL = (frozenset({it}) for it in (Right.READ, Right.SEND, Right.STEER, Right.CANCEL))

_BRANCH: Final = _STEER | _CANCEL
"""Going on from elsewhere changes what the model is told, and ends an answer that is running."""

NEEDS: Final[Mapping[str, Rights]] = {
    "auth.refresh": NONE,
    "session.update": NONE,  # and what it changes for all, see below
    "session.resume": _READ,
    "playback.report": NONE,
    "input_audio_buffer.append": _SEND,
    "input_audio_buffer.commit": _SEND,
    "input_audio_buffer.clear": _SEND,
    "input_audio_buffer.push_to_talk": _SEND,
    "input_audio_buffer.mute": NONE,
    "output_audio_buffer.clear": _CANCEL,
    "output_audio_buffer.pause": _CANCEL,
    "output_audio_buffer.resume": _CANCEL,
    "floor.claim": _SEND,
    "floor.release": NONE,
    "conversation.item.create": _SEND,
    "conversation.item.retrieve": _READ,
    "conversation.item.truncate": _CANCEL,
    "conversation.item.delete": _STEER,
    "conversation.item.update": _STEER,  # and what a new branch needs, see below
    "conversation.item.redact": _STEER,
    "conversation.branch.select": _BRANCH,
    "conversation.context.reset": _STEER,
    "conversation.tree.retrieve": _READ,
    "reaction.add": _SEND,
    "reaction.remove": _SEND,
    "reaction.send": _SEND,
    "presence.update": _SEND,
    "typing.start": _SEND,
    "typing.stop": NONE,
    "response.create": _SEND,
    "response.cancel": _CANCEL,
    "response.steer": _STEER,
    "queue.update": _READ,  # and what changes it, see below
}
"""By the type of a client event. One that is not listed needs all rights: nothing new is open by oversight."""

SHARED: Final = ("model", "instructions", "tools", "tool_choice", "max_output_tokens", "bargein")
"""Of a ``session.update``, what holds for all connections of its session. So do a voice, and a limit of tokens."""

ON_ACTIVE: Final[Mapping[str, Rights]] = {"interrupt": _CANCEL, "rollback": _CANCEL, "steer": _STEER}
"""What else a ``response.create`` needs for what it would do to the answer that is running."""


class Refused(ProtocolViolation):
    """A command that can be understood, and that its client may not give."""

    def told(self) -> ext.CommandRejected:
        """As extended clients are told."""
        return ext.CommandRejected(command_id=self.event_id or "", code=self.code, message=str(self))


class MissingRight(Refused):
    """Somebody asked for what they may not do."""

    def __init__(self, right: Right) -> None:
        super().__init__(f"missing_right_{right.value}", f"This needs the right '{right.value}', which is missing.")
        self.right = right


def needed(event: rt.ClientEvent) -> Rights:
    """The rights that a client event needs. Pure."""
    rights = NEEDS.get(str(event.__struct_config__.tag), ALL)
    match event:
        case rt.SessionUpdate(session=changes) if _for_all(changes):
            rights |= {Right.CHANGE_SETTINGS}
        case rt.ResponseCreate(on_active=on_active, replaces=replaces):
            rights |= (_BRANCH if replaces else NONE) | (NONE if on_active is UNSET else ON_ACTIVE.get(on_active, NONE))
        case ext.QueueUpdate(action=action) if action != "list":
            rights |= _STEER
        case messages.ItemUpdate(mode="branch", response=answered):
            rights |= _BRANCH | (_SEND if answered else NONE)
        case _:
            pass
    return rights


def _for_all(changes: rt.SessionChanges) -> bool:
    """Does it touch what all connections share?"""
    output = changes.audio.output if changes.audio is not UNSET else UNSET
    voice = output.voice if output is not UNSET else UNSET
    if voice is not UNSET or most_tokens(changes.truncation) is not None:
        return True
    return any(getattr(changes, name) is not UNSET for name in SHARED)


def demand(rights: Rights, *wanted: Right) -> None:
    """Raise :class:`MissingRight` for the first of *wanted* that is not among *rights*."""
    for right in Right:
        if right in wanted and right not in rights:
            raise MissingRight(right)


def _nobody(_event: rt.ServerEvent) -> None:
    """Stock clients know no event of ours."""


class Permit:
    """A connection's rights, as long as it lasts. Implements :class:`gateway.auth.access.Watched`.

    *tell* is None for a client of the standard protocol.
    """

    def __init__(
        self,
        access: Access,
        authority: Authority | None,
        tell: Callable[[rt.ServerEvent], None] | None,
        close: Callable[[CloseCode], None],
    ) -> None:
        self.access = access
        self._authority = authority
        self._tell = tell or _nobody
        self._close = close
        self._read = access.may(Right.READ)
        self.changed: Callable[[], None] = lambda: None
        """Called when rights changed, and the connection goes on."""

    @property
    def _watch(self) -> Watch | None:
        return self._authority.watch if self._authority is not None else None

    def begin(self) -> None:
        """From now on it hears of changes."""
        if self._watch is not None:
            self._watch.add(self)
        if not self.access.rights:  # everything was taken away since it was let in
            self.rights_changed()

    def end(self) -> None:
        """The connection is over."""
        if self._watch is not None:
            self._watch.remove(self)

    def check(self, event: rt.ClientEvent) -> None:
        """Raise :class:`MissingRight` for an event that its client may not send."""
        wanted, rights = needed(event), self.access.rights
        if not wanted <= rights:
            demand(rights, *wanted)

    def grant(self, input: inp.Input) -> inp.Input:
        """A command with what its giver may do beyond others."""
        if isinstance(input, inp.CorrectionSubmitted):
            return replace(input, others=self.access.may(Right.ADMINISTER))
        return input

    def key(self, given: str) -> str:
        """An idempotency key that no other user can have given."""
        user = self.access.principal.user
        return f"{user}\n{given}" if user and given else given

    def interrupts(self, wanted: bool) -> bool:
        """May a voice of this connection cut an answer, where that is *wanted*?"""
        return wanted and self.access.may(Right.CANCEL)

    def told(self) -> dict[str, Any]:
        """What its client learns of them at once."""
        rights = self.access.rights
        return {"user": self.access.principal.user, "rights": names(rights), "missing": names(ALL - rights)}

    async def refresh(self, event: auth.AuthRefresh) -> None:
        """Go by another token. Raises :class:`Refused`."""
        try:
            if self._authority is None:
                raise invalid("not_asked_for")
            await self._authority.refresh(self.access, event.token)
        except AuthError as refused:
            raise Refused(refused.code, str(refused)) from None
        self.rights_changed()

    # --- what the watch tells ---

    def rights_changed(self) -> None:
        """Tell what is left; close where nothing is, or where it may no longer read."""
        rights = self.access.rights
        if not rights:
            self._close(CloseCode.UNAUTHORISED)
        elif self._read and Right.READ not in rights:
            self._close(CloseCode.FORBIDDEN)
        else:
            self._read = Right.READ in rights
            self.changed()
            self._tell(auth.AuthChanged(rights=names(rights), missing=names(ALL - rights)))

    def expires_soon(self) -> None:
        """Ask for another token."""
        self._tell(auth.AuthRefreshRequired(expires_at=int(self.access.principal.expires)))

    def expired(self) -> None:
        """There was none."""
        self._close(CloseCode.UNAUTHORISED)
