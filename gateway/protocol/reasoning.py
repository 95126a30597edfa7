"""What a model thinks, for extended clients alone: it is no part of its answer, and is not kept."""

from typing import ClassVar

from gateway.protocol.realtime import ServerEvent


class ReasoningDelta(ServerEvent, tag="response.reasoning.delta"):
    """More of it. ``offset`` counts Unicode code points from its beginning."""

    response_id: str
    offset: int
    delta: str

    extension: ClassVar[bool] = True
