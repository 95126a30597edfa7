"""An engine for tests of :mod:`media.speech.worker`: does what the body of ``OPEN`` says, in its own process."""

import os
import sys
import threading

from media.speech import SpeechError
from media.speech.pipe import Frame, Kind, Outlet, serve


class Echo:
    """Says back what it is told, and fails in every way when told to."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._heard: dict[int, int] = {}

    def take(self, frame: Frame) -> None:
        match frame.kind, frame.body:
            case Kind.SOUND, sound:
                self._heard[frame.call] = self._heard.get(frame.call, 0) + len(sound)
            case Kind.FINISH, _:
                self._outlet.say(Kind.FINISH, frame.call, str(self._heard.pop(frame.call, 0)).encode())
            case Kind.OPEN, b"pid":
                self._outlet.say(Kind.FINISH, frame.call, str(os.getpid()).encode())
            case Kind.OPEN, b"die":
                self._outlet.say(Kind.SOUND, frame.call, b"last words")
                os._exit(3)
            case Kind.OPEN, b"raise":
                raise RuntimeError("told to")
            case Kind.OPEN, b"hang":
                threading.Event().wait()
            case Kind.OPEN, b"nonsense":
                self._outlet.say(Kind.SOUND, frame.call, b"last words")
                os.write(3, b"\xff" * 100)  # the outlet's descriptor: the first one free when it was made
            case Kind.OPEN, b"print":
                print("what a library has to say", flush=True)  # noqa: T201
                os.write(1, b"what a library has to say")
                self._outlet.say(Kind.FINISH, frame.call)
            case Kind.OPEN, b"go on":
                while not self._outlet.cancelled(frame.call):
                    self._outlet.say(Kind.SOUND, frame.call, bytes(1000))


def load(outlet: Outlet) -> Echo:
    match sys.argv[1:]:
        case ["refuse"]:
            raise SpeechError("engine_unavailable", "The echo is out.")
        case ["die"]:
            os._exit(3)
        case ["hang"]:
            threading.Event().wait()
    return Echo(outlet)


if __name__ == "__main__":
    serve(load)
