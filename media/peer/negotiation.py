"""Which codec an audio section of a session description (RFC 8866) agrees on, and how sound is wanted.

A section is reduced to one codec before the WebRTC stack reads it, so both sides send that one and no other: neither
comfort noise (RFC 3389) nor DTMF (RFC 4733) nor redundancy (RFC 2198) is agreed on.
"""

import re
from typing import Final

from media.codecs.codec import Format, Name
from media.frames import PTIME_MS
from media.peer.peering import PeerError

UPLINK_BPS: Final = 40_000
"""What an Opus client may spend on average: twice what wideband speech needs, which leaves room for FEC."""

_MAP: Final = re.compile(r"a=rtpmap:(\d{1,3}) (?:(opus)/48000(?:/\d)?|(PCMU|PCMA)/8000(?:/1)?)\s*", re.IGNORECASE)
_STATIC: Final[dict[Name, str]] = {"PCMU": "0", "PCMA": "8"}
"""Payload types that need no map (RFC 3551, table 4), and under no other number are these codecs taken."""

_NAMES: Final[dict[str, Name]] = {"opus": "opus", "pcmu": "PCMU", "pcma": "PCMA"}
_OF_A_FORMAT: Final = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\S+)")
_LEVEL: Final = re.compile(
    r"a=extmap:(\d{1,2})(?:/send(?:only|recv))? urn:ietf:params:rtp-hdrext:ssrc-audio-level(?: .*)?"
)
_ONE_BYTE: Final = range(1, 15)
"""The numbers that fit a header extension's one-byte form (RFC 8285, 4.2)."""

_NUMBER: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?")


def agree(section: list[str], codecs: tuple[Name, ...], *, ours: bool) -> tuple[Format, list[str]]:
    """The codec of the audio *section*, and the section with no other.

    *ours*: the first of *codecs* that is there; else the first there that is among them, since who answers has already
    chosen. Raises :class:`PeerError`: ``invalid_sdp``, ``unsupported_codec``, ``unsupported_ptime``.
    """
    words = section[0].split()
    offered = _offered(section, words[3:])
    known = [name for name in (codecs if ours else offered) if name in codecs and name in offered]
    if not known:
        raise PeerError("unsupported_codec", f"the audio section offers none of {', '.join(codecs)}")
    _check_packet_time(section)
    name, number = known[0], offered[known[0]]
    kept = [line for line in section[1:] if (of := _OF_A_FORMAT.match(line)) is None or of[1] == number]
    if name != "opus" and not any(line.startswith("a=rtpmap:") for line in kept):
        kept.append(f"a=rtpmap:{number} {name}/8000")
    return Format(name, int(number)), [" ".join([*words[:3], number]), *kept]


def level_id(section: list[str]) -> int | None:
    """The number of the header extension in which the audio *section* offers to tell how loud each packet is.

    None when it does not, or in a way that we do not read.
    """
    numbers = (int(match[1]) for line in section if (match := _LEVEL.fullmatch(line)))
    return next((number for number in numbers if number in _ONE_BYTE), None)


def with_levels(text: str, number: int | None) -> str:
    """Our own description, taking the other side's offer of :func:`level_id`."""
    if number is None:
        return text
    line = f"a=extmap:{number} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    return re.sub(r"(?m)^(m=audio (?:.*\r\n(?!m=))*.*\r\n)", rf"\1{line}", text)


def want(text: str, rate_hz: int) -> str:
    """Our own description with how we like to be sent Opus (RFC 7587, 6.1).

    Mono, with FEC, and no higher frequencies than sound of *rate_hz* has: they would not be heard, and bits spent on
    them are missing where they would. Encoders then choose SILK, the part of Opus that has FEC.
    """
    wanted = (
        f"minptime=10;useinbandfec=1;stereo=0;sprop-stereo=0;maxaveragebitrate={UPLINK_BPS};maxplaybackrate={rate_hz}"
    )
    return re.sub(r"(a=rtpmap:(\d+) opus/48000/2\r\n)", rf"\1a=fmtp:\2 {wanted}\r\n", text)


def with_packet_time(text: str) -> str:
    """Our own description, with the packet time we like to be sent. The WebRTC stack would lose it."""
    return re.sub(r"(?m)^(m=audio (?:.*\r\n(?!m=))*.*\r\n)", rf"\1a=ptime:{PTIME_MS}\r\n", text)


def _offered(section: list[str], numbers: list[str]) -> dict[Name, str]:
    """The payload type of each codec that is offered, in the order of preference."""
    maps = {match[1]: _NAMES[(match[2] or match[3]).lower()] for line in section if (match := _MAP.fullmatch(line))}
    offered: dict[Name, str] = {}
    for number in numbers:
        name = maps.get(number) or next((name for name, static in _STATIC.items() if static == number), None)
        if name is not None and _STATIC.get(name, number) == number:
            offered.setdefault(name, number)
    return offered


def _check_packet_time(section: list[str]) -> None:
    """``a=ptime`` is a wish, which 20 ms nearly always grants; ``a=maxptime`` is a limit (RFC 8866, 6.4)."""
    limits = [line.removeprefix("a=maxptime:").strip() for line in section if line.startswith("a=maxptime:")]
    if not all(_NUMBER.fullmatch(limit) for limit in limits):
        raise PeerError("invalid_sdp", "the session description has a longest packet time that is no number")
    if any(float(limit) < PTIME_MS for limit in limits):
        raise PeerError(
            "unsupported_ptime", f"the other side takes no packets of {PTIME_MS} ms, and there are no others"
        )
