"""What a session description (RFC 8866) from outside may say before the WebRTC stack is allowed to read it.

The stack parses with assertions, resolves names, sends a check to every address it is told, and some of its work grows
with the square of the lines. So a description is counted and reduced here first: only candidates that may be probed
stay, and names are never resolved. A peer whose candidates were all dropped still connects: its own checks make it
known as peer-reflexive (RFC 8445, 7.3.1.3).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain
from typing import Final, TypeAlias

from media.codecs.codec import CODECS, Format, Name
from media.peer.channel import DEFAULT_MESSAGE_BYTES
from media.peer.negotiation import agree, level_id
from media.peer.peering import PeerError

MAX_BYTES: Final = 16 * 1024
MAX_LINES: Final = 500
MAX_SECTIONS: Final = 3
MAX_ATTRIBUTES: Final = 64
"""In a section that is used. The header extensions and feedback that browsers list for video do not count."""

MAX_CANDIDATES: Final = 20
"""Candidates that are checked. Browsers on machines with many networks name more: those further down fall away."""

_UNPRIVILEGED_PORT: Final = 1_024
_HOST_PREFERENCE: Final = 126
_REFLEXIVE_PREFERENCE: Final = 100
"""RFC 8445, 5.1.2.2."""

_DROPPED: Final = ("a=end-of-candidates", "a=extmap:", "a=extmap-allow-mixed", "a=rtcp-fb:")
"""The stack needs no header extensions and feedback, so it is told of none. Candidates never end here: after the end
of an empty list the stack would give up instead of waiting for the peer's own checks."""

_KINDS: Final = ("m=audio ", "m=video ", "m=application ")
_DIRECTIONS: Final = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")

_CANDIDATE: Final = re.compile(
    r"a=candidate:(\S{1,64}) (1) (udp) (\d{1,10}) ([0-9a-fA-F.:]{2,45}) (\d{1,5}) typ (host|srflx|relay)(?: .*)?",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\d{1,10}")

Lines: TypeAlias = list[str]
Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Remote:
    """The other side, as far as it may be known."""

    sdp: str
    """The reduced description."""

    format: Format
    """The codec that is agreed on, and the only one in :attr:`sdp`."""

    max_message_bytes: int
    """The longest message its data channel takes; 0 means any."""

    level_id: int | None
    """The header extension that tells how loud each packet is (RFC 6464); None when there is none."""


def read(text: str, *, private: bool, codecs: tuple[Name, ...] = CODECS, answer: bool = False) -> Remote:
    """Check and reduce the description *text*; *private* lets candidates in networks that are not public stay.

    *codecs* are those we speak, the best first; an *answer* has its own order of them. Raises :class:`PeerError`:
    ``invalid_sdp``, ``unsupported_codec``, ``unsupported_ptime``.
    """
    session, sections = _split(_lines(text))
    _check_bundle(session, sections)
    for section in sections:
        _check_transport(session, section)
        _check_size(section)
    audio = [section for section in sections if section[0].startswith("m=audio ")]
    channels = [section for section in sections if section[0].startswith("m=application ")]
    if not audio:
        raise _invalid("has no audio section")
    if len(channels) > 1:
        raise _invalid("has more than one data channel section")
    levels = level_id(audio[0])
    form, audio[0][:] = agree(audio[0], codecs, ours=not answer)
    limit = _check_channel(channels[0]) if channels else DEFAULT_MESSAGE_BYTES
    for section in audio:
        # What is not said is sendrecv (RFC 8866, 6.7), which the stack wants to read.
        if not any(line in _DIRECTIONS for line in session + section):
            section.append("a=sendrecv")
    kept = [reduced for line in chain(session, *sections) if (reduced := _reduced(line, private)) is not None]
    checked = iter(range(MAX_CANDIDATES))
    kept = [line for line in kept if not line.startswith("a=candidate:") or next(checked, None) is not None]
    return Remote("\r\n".join(kept) + "\r\n", form, limit, levels)


def limit_messages(text: str, longest: int) -> str:
    """Our own description with the longest message that its data channel takes, in bytes."""
    return re.sub(r"a=max-message-size:\d+", f"a=max-message-size:{longest}", text)


def announce(text: str, public_address: str) -> str:
    """Our own description with a candidate at *public_address* beside each at an address of its kind that it may
    stand for (1:1 NAT); as it is for ``""``."""
    if not public_address:
        return text
    public = ip_address(public_address)
    return "".join(
        line + (_translated(line, public) or "") if line.startswith("a=candidate:") else line
        for line in text.splitlines(keepends=True)
    )


def _translated(line: str, public: Address) -> str | None:
    match = _CANDIDATE.fullmatch(line.strip())
    if match is None or match[7] != "host":
        return None
    own = ip_address(match[5])
    if own.is_loopback or own.version != public.version or own == public:
        return None
    # Below every host candidate (RFC 8445, 5.1.2.2): in its own network a peer should not go around by the router.
    priority = int(match[4]) - (_HOST_PREFERENCE - _REFLEXIVE_PREFERENCE << 24)
    return f"a=candidate:{match[1]}n 1 udp {priority} {public} {match[6]} typ srflx raddr {own} rport {match[6]}\r\n"


def _invalid(what: str) -> PeerError:
    return PeerError("invalid_sdp", f"the session description {what}")


def _lines(text: str) -> Lines:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise _invalid(f"is larger than {MAX_BYTES} bytes")
    # The stack splits by the same function, which knows more line ends than the standard.
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise _invalid(f"has more than {MAX_LINES} lines")
    if not lines or lines[0] != "v=0":
        raise _invalid("does not begin with its version")
    if sum(line.startswith("m=") for line in lines) > MAX_SECTIONS:
        raise _invalid(f"has more than {MAX_SECTIONS} media sections")
    return lines


def _split(lines: Lines) -> tuple[Lines, list[Lines]]:
    session: Lines = []
    sections: list[Lines] = []
    for line in lines:
        if line.startswith("m="):
            sections.append([line])
        else:
            (sections[-1] if sections else session).append(line)
    return session, sections


def _check_bundle(session: Lines, sections: list[Lines]) -> None:
    if not all(section[0].startswith(_KINDS) for section in sections):
        raise _invalid("has a section of an unknown kind")
    names = [_value(section, "a=mid:") for section in sections]
    if len(names) > 1 and (len(set(names)) < len(names) or not all(name and name.split() == [name] for name in names)):
        raise _invalid("has sections without a name of their own")
    groups = [line.removeprefix("a=group:").split() for line in session if line.startswith("a=group:")]
    bundles = [group[1:] for group in groups if group[:1] == ["BUNDLE"]]
    # The stack takes the first bundle, and looks its first section up without a second thought.
    if bundles and not (bundles[0] and bundles[0][0] in names):
        raise _invalid("has a bundle of unknown sections")


def _check_transport(session: Lines, section: Lines) -> None:
    said = session + section
    for needed in ("a=ice-ufrag:", "a=ice-pwd:", "a=setup:", "a=fingerprint:sha-256 "):
        if not any(line.lower().startswith(needed) for line in said):
            raise _invalid(f"has a section without {needed.rstrip(': ')}")


def _check_size(section: Lines) -> None:
    attributes = sum(line.startswith("a=") and not line.startswith((*_DROPPED, "a=candidate:")) for line in section)
    if attributes > MAX_ATTRIBUTES and not section[0].startswith("m=video "):
        raise _invalid(f"has a section with more than {MAX_ATTRIBUTES} attributes")


def _check_channel(section: Lines) -> int:
    port = _value(section, "a=sctp-port:")
    if port is None:
        # Before RFC 8841 the port stood in the place of the format.
        port = section[0].rpartition(" ")[2]
    if not _NUMBER.fullmatch(port) or not 0 < int(port) < 65_536:
        raise _invalid("has a data channel without a port")
    limit = _value(section, "a=max-message-size:")
    if limit is None:
        return DEFAULT_MESSAGE_BYTES
    if not _NUMBER.fullmatch(limit):
        raise _invalid("has a data channel without a proper limit")
    return int(limit)


def _value(section: Lines, prefix: str) -> str | None:
    values = [line.removeprefix(prefix) for line in section if line.startswith(prefix)]
    if len(values) > 1:
        raise _invalid(f"repeats {prefix.rstrip(':')}")
    return values[0] if values else None


def _reduced(line: str, private: bool) -> str | None:
    if line.startswith("a=candidate:"):
        return _candidate(line, private)
    return None if line.startswith(_DROPPED) else line


def _candidate(line: str, private: bool) -> str | None:
    match = _CANDIDATE.fullmatch(line.strip())
    if match is None:
        return None
    foundation, component, transport, priority, host, port, kind = match.groups()
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if not _may_be_probed(address, int(port), private):
        return None
    return f"a=candidate:{foundation} {component} {transport} {priority} {address} {port} typ {kind.lower()}"


def _may_be_probed(address: Address, port: int, private: bool) -> bool:
    if address.is_multicast or address.is_unspecified or not 0 < port < 65_536:
        return False
    return private or (address.is_global and port >= _UNPRIVILEGED_PORT)
