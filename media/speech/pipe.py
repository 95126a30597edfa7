"""What the gateway and an engine's process say to each other, and the engine's side of it.

A frame is a length (4 bytes, big-endian, of what follows it), a kind (1 byte), a call (4 bytes) and a body. The
gateway writes frames to the engine's standard input, the engine to its standard output. A call is one text to speak
or one utterance to recognise; ``OPEN`` begins it. The engine's process ends when its standard input does.
"""

import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NoReturn, Protocol

from media.frames import from_bytes
from media.speech import Speech, SpeechError, Word

MAX_BODY_BYTES: Final = 8 << 20
"""A longer frame is taken for nonsense: no utterance and no answer's clause comes near it."""

_HEADER: Final = struct.Struct(">IBI")
_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 1 << 16
_COUNT: Final = struct.Struct(">I")
_WORD: Final = struct.Struct(">III")


class Kind(IntEnum):
    """What a frame means."""

    READY = 0
    """Engine: loaded. Belongs to no call."""

    OPEN = 1
    """Gateway: begin a call."""

    SOUND = 2
    """Either: a piece of sound."""

    ASK = 3
    """Gateway: what is known so far? Engine: this is."""

    FINISH = 4
    """Gateway: the call's sound is complete. Engine: the call is complete; nothing follows it."""

    REFUSE = 5
    """Engine: it cannot be loaded, and why. Belongs to no call; the process ends."""

    CANCEL = 6
    """Gateway: forget the call. Not answered."""

    JUDGE = 7
    """Gateway: what does the short utterance say that has just ended? Engine: that."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a call."""

    kind: Kind
    call: int
    body: bytes = b""


class FrameError(Exception):
    """The bytes are no frames."""


def encode(frame: Frame) -> bytes:
    """A frame as bytes. Raises :class:`FrameError` when its body is longer than :data:`MAX_BODY_BYTES`."""
    if len(frame.body) > MAX_BODY_BYTES:
        raise FrameError("a frame is too long")
    length = _HEADER.size - _LENGTH_BYTES + len(frame.body)
    return _HEADER.pack(length, frame.kind, frame.call) + frame.body


class Decoder:
    """Bytes, however cut, become frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that *data* completes. Raises :class:`FrameError` after them; nothing can be read then."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            length, kind, call = _HEADER.unpack_from(self._buffer)
            if not _HEADER.size - _LENGTH_BYTES <= length <= _HEADER.size - _LENGTH_BYTES + MAX_BODY_BYTES:
                raise FrameError("a frame has an impossible length")
            end = _LENGTH_BYTES + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield Frame(_kind(kind), call, body)


def _kind(value: int) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise FrameError("a frame is of no known kind") from None


def pack(speech: Speech) -> bytes:
    """A piece of speech as the body of a frame."""
    words = b"".join(_WORD.pack(word.start, word.end, word.sample) for word in speech.words)
    return _COUNT.pack(len(speech.words)) + words + speech.pcm.astype("<i2").tobytes()


def unpack(body: bytes) -> Speech:
    """What :func:`pack` was given."""
    count = _COUNT.unpack_from(body)[0]
    sound = _COUNT.size + count * _WORD.size
    words = tuple(Word(*fields) for fields in _WORD.iter_unpack(body[_COUNT.size : sound]))
    return Speech(from_bytes(body[sound:]), words)


class Engine(Protocol):
    """An engine in its process. An exception ends the process, and with it every call."""

    def take(self, frame: Frame) -> None:
        """Act on the next frame. Frames of calls cancelled meanwhile are left out, but for ``CANCEL`` itself."""
        ...


class Outlet:
    """The engine's end of the pipe."""

    def __init__(self, cancelled: Collection[int], output: int) -> None:
        self._cancelled = cancelled
        self._output = output

    def cancelled(self, call: int) -> bool:
        """True once the gateway has cancelled the call, even when the engine has not come to that frame yet."""
        return call in self._cancelled

    def say(self, kind: Kind, call: int = 0, body: bytes = b"") -> None:
        """Send a frame. Ends the process when nobody reads any more."""
        data = memoryview(encode(Frame(kind, call, body)))
        try:
            while data:
                data = data[os.write(self._output, data) :]
        except OSError:
            os._exit(0)


def serve(load: Callable[[Outlet], Engine]) -> NoReturn:
    """Load an engine and run it until standard input ends. Loading may raise :class:`SpeechError`.

    Frames are read by a thread, so that a cancellation and the gateway's end are noticed while the engine is busy.
    """
    # Ctrl-C in a terminal reaches every process of the group; when to stop is the gateway's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cancelled: set[int] = set()
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    outlet = Outlet(cancelled, _own_stdout())
    threading.Thread(target=_read, args=(cancelled, frames), daemon=True).start()
    try:
        engine = load(outlet)
    except SpeechError as error:
        outlet.say(Kind.REFUSE, body=str(error).encode())
        os._exit(1)
    outlet.say(Kind.READY)
    while True:
        frame = frames.get()
        if frame.kind is Kind.CANCEL:
            engine.take(frame)
            cancelled.discard(frame.call)
        elif frame.call not in cancelled:
            engine.take(frame)


def _own_stdout() -> int:
    """Standard output for frames alone: what a library prints goes to standard error instead."""
    output = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    os.dup2(2, 1)
    return output


def _read(cancelled: set[int], frames: queue.SimpleQueue[Frame]) -> None:
    decoder = Decoder()
    try:
        while data := os.read(0, _READ_BYTES):
            for frame in decoder.feed(data):
                if frame.kind is Kind.CANCEL:
                    cancelled.add(frame.call)
                frames.put(frame)
    finally:
        os._exit(0)
