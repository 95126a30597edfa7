"""``bargein replay``: plays WAV files to a gateway as a caller would, and tells what happened, when.

:mod:`.steps`, :mod:`.story`, :mod:`.cues` and :mod:`.timeline` are pure; :mod:`.webrtc` and :mod:`.websocket` carry
the sound; :mod:`.director` runs the show.
"""

from gateway.replay.director import ReplayOptions, Transport, replay
from gateway.replay.errors import ReplayError
from gateway.replay.steps import Step, parse
from gateway.replay.timeline import Report

__all__ = ["ReplayError", "ReplayOptions", "Report", "Step", "Transport", "parse", "replay"]
