"""The wire: OpenAI Realtime (GA) and our extension to it. Pure, msgspec only.

``realtime`` holds the standard events, ``extension`` ours; ``decoding`` turns bytes into client
events or a :class:`gateway.errors.ProtocolViolation`; ``projection`` turns what a session decided
into server events. Nothing here is ever stored.
"""
