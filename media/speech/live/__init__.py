"""Live transcription: words come while they are spoken, over a Realtime transcription session of a server.

The protocol is that of OpenAI's Realtime API (``session.type: transcription``) without turn detection: when a turn
ends is decided here, and said by a commit.
"""
