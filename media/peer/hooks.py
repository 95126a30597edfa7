"""Private parts of aiortc 1.16 and aioice 0.13 that are replaced or read: each named once, so that a change is noticed
before a call. Where one is missing, what is built on it is left out, and what aiortc does of itself serves instead.
"""

import inspect
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCDtlsTransport, RTCIceTransport, RTCPeerConnection, RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtcsctptransport import InboundStream, RTCSctpTransport
from aiortc.rtp import HeaderExtensionsMap

log = logging.getLogger(__name__)

CONNECTION: Final = "_RTCPeerConnection__"
RECEIVER: Final = "_RTCRtpReceiver__"
SENDER: Final = "_RTCRtpSender__"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of *owner* itself, with the names of its parameters after ``self``."""

    owner: type
    name: str
    parameters: tuple[str, ...] = ()

    def holds(self) -> bool:
        """Whether the library has it so."""
        method = vars(self.owner).get(self.name)
        return callable(method) and tuple(inspect.signature(method).parameters)[1:] == self.parameters


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that *owner* sets in its method *where*."""

    owner: type
    name: str
    where: str = "__init__"

    def holds(self) -> bool:
        """Whether the library has it so."""
        method = vars(self.owner).get(self.where)
        return method is not None and self.name in method.__code__.co_names


@dataclass(frozen=True, slots=True)
class Property:
    """Something that can be read of *owner*."""

    owner: type
    name: str

    def holds(self) -> bool:
        """Whether the library has it so."""
        return isinstance(vars(self.owner).get(self.name), property)


Hook: TypeAlias = Method | Attribute | Property

NETWORK: Final[tuple[Hook, ...]] = (
    Method(RTCPeerConnection, f"{CONNECTION}connect"),
    Attribute(RTCIceTransport, "_connection"),
    Method(Connection, "get_component_candidates", ("component", "addresses", "timeout")),
    Method(Connection, "query_consent"),
    Method(StunProtocol, "datagram_received", ("data", "addr")),
    Method(Connection, "build_request", ("pair", "nominate")),
    Method(StunProtocol, "send_stun", ("message", "addr")),
    Attribute(Connection, "_closing"),
    Attribute(Connection, "_protocols"),
    Attribute(Connection, "_check_list"),
    Attribute(Connection, "_nominated"),
    Attribute(Connection, "_remote_candidates"),
    Attribute(CandidatePair, "protocol"),
    Attribute(CandidatePair, "state"),
    Property(CandidatePair, "remote_addr"),
    Method(RTCSctpTransport, "_receive_data_chunk", ("chunk",)),
    Attribute(RTCSctpTransport, "_advertised_rwnd"),
    Attribute(RTCSctpTransport, "_inbound_streams"),
    Attribute(InboundStream, "reassembly"),
)
"""What the care for addresses, strangers and silence (:mod:`media.peer.ice`) and :mod:`media.peer.fragments` need."""

MEDIA: Final[tuple[Hook, ...]] = (
    *NETWORK,
    Method(RTCRtpSender, "_run_rtp", ("codec",)),
    Method(RTCRtpSender, "_run_rtcp"),
    Attribute(RTCRtpSender, "_ssrc"),
    Attribute(RTCRtpSender, f"{SENDER}rtp_started"),
    Attribute(RTCRtpSender, f"{SENDER}rtp_exited"),
    Attribute(RTCRtpSender, f"{SENDER}ntp_timestamp"),
    Attribute(RTCRtpSender, f"{SENDER}rtp_timestamp"),
    Attribute(RTCRtpSender, f"{SENDER}octet_count"),
    Attribute(RTCRtpSender, f"{SENDER}packet_count"),
    Attribute(RTCRtpSender, f"{SENDER}rtt"),
    Method(RTCRtpReceiver, "receive", ("parameters",)),
    Method(RTCRtpReceiver, "_run_rtcp"),
    Attribute(RTCRtpReceiver, f"{RECEIVER}started"),
    Attribute(RTCRtpReceiver, f"{RECEIVER}rtcp_task"),
    Attribute(RTCRtpReceiver, f"{RECEIVER}remote_streams"),
    Method(StreamStatistics, "add", ("packet",)),
    Method(HeaderExtensionsMap, "set", ("values",)),
    Method(RTCDtlsTransport, "_register_rtp_receiver", ("receiver", "parameters")),
    Attribute(RTCDtlsTransport, "_rtp_header_extensions_map"),
    Attribute(RTCDtlsTransport, "_rtp_router"),
    Attribute(RtpRouter, "ssrc_table"),
    Attribute(RTCDtlsTransport, "_rx_srtp"),
    Attribute(RTCDtlsTransport, "_tx_srtp"),
    Attribute(StunProtocol, "transport", "connection_made"),
)
"""What our own media path is built on: :mod:`media.peer.direct`. It stands in the way that datagrams take."""


def missing(hooks: Iterable[Hook]) -> str | None:
    """The name of the first of *hooks* which is not there as expected."""
    return next((f"{hook.owner.__name__}.{hook.name}" for hook in hooks if not hook.holds()), None)


@cache
def has_network() -> bool:
    """Whether all of :data:`NETWORK` is there; warns once if not."""
    return _all_there(NETWORK, "the network is left to aioice, with no guard and no choice of ports")


@cache
def has_media() -> bool:
    """Whether all of :data:`MEDIA` is there; warns once if not."""
    return _all_there(MEDIA, "aiortc's own media path serves, which is slower to hear and dearer")


def _all_there(hooks: Iterable[Hook], instead: str) -> bool:
    name = missing(hooks)
    if name is not None:
        log.warning("%s is not what it was in aiortc 1.16: %s", name, instead)
    return name is None
