"""The devices of one session may stand in one room: each microphone is told what the other loudspeakers play.

Nobody tells us which do. Where they do not, the reference explains nothing of what the microphone hears, and harms
nothing.
"""

from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from gateway.runtime.actor import Actor
from media.frames import Pcm

MAX_FRAMES: Final = 100
"""Of 20 ms, as far as a loudspeaker is sent sound ahead of its playing. Of more the oldest are dropped."""


class Seat:
    """One device's place in the room."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._from_others: deque[Pcm] = deque(maxlen=MAX_FRAMES)

    def mix(self, frame: Pcm | None) -> Pcm | None:
        """This device plays *frame* for the next 20 ms, None for silence: all that its microphone may hear of us."""
        if frame is not None:
            self._room.play(self, frame)
        other = self._from_others.popleft() if self._from_others else None
        if frame is None or other is None:
            return other if frame is None else frame
        both: Pcm = np.clip(frame.astype(np.int32) + other, -32768, 32767).astype(np.int16)
        return both

    def hear(self, frame: Pcm) -> None:
        """Another device plays this."""
        self._from_others.append(frame)

    def leave(self) -> None:
        """It plays nothing more, and hears nothing."""
        self._room.leave(self)


class Room:
    """The seats of one session's voice legs."""

    def __init__(self) -> None:
        self._seats: list[Seat] = []

    def enter(self) -> Seat:
        """A device joins."""
        seat = Seat(self)
        self._seats.append(seat)
        return seat

    def play(self, seat: Seat, frame: Pcm) -> None:
        """What one plays, all others may hear."""
        if seat in self._seats:
            for other in self._seats:
                if other is not seat:
                    other.hear(frame)

    def leave(self, seat: Seat) -> None:
        """A device is gone. Twice is once."""
        if seat in self._seats:
            self._seats.remove(seat)


class Rooms:
    """A room for each session that is in memory."""

    def __init__(self) -> None:
        self._rooms: WeakKeyDictionary[Actor, Room] = WeakKeyDictionary()

    def of(self, actor: Actor) -> Room:
        """The room of a session."""
        return self._rooms.setdefault(actor, Room())
