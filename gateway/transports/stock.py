"""The end of an answer, where the sound itself is sent to a client of the standard protocol.

Generation ends before the sound does. A stock client that is sent the sound as events takes
``response.done`` for the end of both: what comes later it drops, or stumbles over.
"""

from gateway.core import events as ev
from gateway.core.ids import LegId, ResponseId
from gateway.runtime.ports import Published


class SoundFirst:
    """Keeps the end of an answer back until its sound has been sent, or cut. One for each connection."""

    def __init__(self, leg: LegId) -> None:
        self._leg = leg
        self._kept: dict[ResponseId, list[Published]] = {}
        """Answers that this leg speaks, with what is kept back of each."""

    def order(self, published: Published) -> list[Published]:
        """What may be told now. What was kept back loses its seq, since others have been told meanwhile."""
        event = published.event
        match event:
            case ev.ResponseStarted(response_id) if event.leg == self._leg:
                self._kept[response_id] = []
            case ev.ItemCompleted() if event.response_id in self._kept:
                self._kept[event.response_id].append(Published(event, None))
                return []
            case ev.ResponseEnded() if event.response_id in self._kept and event.item_id is not None:
                self._kept[event.response_id].append(Published(event, None))
                return []
            case ev.PlayoutMoved(response_id) if event.leg == self._leg:
                self._kept.setdefault(response_id, [])
            case ev.PlayoutMoved() | ev.PlayoutStopped() | ev.PlayoutCleared() | ev.ResponseEnded():
                return [*self._kept.pop(event.response_id, []), published]
            case _:
                pass
        return [published]
