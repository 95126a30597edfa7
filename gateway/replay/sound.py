"""Sound on disk: what a step plays, and the recording of a conversation. Inside a replay sound is mono at 24 kHz."""

import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from gateway.replay.errors import ReplayError
from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, samples, silence
from media.resample import resample

ONSET: Final = 300
"""Promise 1 counts from the first sample above this magnitude."""

AUDIBLE: Final = 500
"""A frame of the answer with a peak above this is heard (promise 1)."""

SLIP_MS: Final = 200
"""A stream that is farther than this from its own clock has been interrupted, and is placed anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What one step plays: whole frames of 20 ms, the last one filled up with silence."""

    pcm: Pcm
    onset_frame: int | None
    """The frame that holds the first sample over :data:`ONSET`; None when there is no such sample."""

    def __len__(self) -> int:
        return len(self.pcm) // VOICE_FRAME


def clip(pcm: Pcm) -> Clip:
    """24 kHz mono as a clip."""
    whole = np.concatenate((pcm, silence(-len(pcm) % VOICE_FRAME)))
    loud = np.abs(whole.astype(np.int32)) > ONSET
    return Clip(whole, int(loud.argmax()) // VOICE_FRAME if loud.any() else None)


def read_clip(path: Path) -> Clip:
    """A WAV file of any rate and number of channels, 16 bit PCM; channels are averaged.

    Raises :class:`ReplayError` (``file_missing``, ``not_wav``, ``empty_sound``).
    """
    try:
        with path.open("rb") as raw, wave.open(raw, "rb") as file:
            width, channels, rate_hz = file.getsampwidth(), file.getnchannels(), file.getframerate()
            if width != 2:
                raise ReplayError("not_wav", f"“{path}” has {width * 8} bit samples; only 16 bit PCM can be played.")
            sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except OSError as error:
        raise ReplayError("file_missing", f"“{path}” cannot be opened: {error.strerror}.") from error
    except (wave.Error, EOFError) as error:
        raise ReplayError("not_wav", f"“{path}” is not a WAV file with 16 bit PCM.") from error
    whole = sound[: len(sound) - len(sound) % channels].reshape(-1, channels)
    if not len(whole):
        raise ReplayError("empty_sound", f"“{path}” holds no sound.")
    mono = np.rint(whole.mean(axis=1)).astype(np.int16)
    try:
        return clip(resample(mono, rate_hz, VOICE_RATE_HZ))
    except ValueError as error:
        raise ReplayError("not_wav", f"“{path}” has a rate of {rate_hz} Hz, which cannot be played.") from error


class Track:
    """One channel of a recording: pieces of sound, each at its place on the wall clock.

    Pieces come with the time they were sent or heard and with their place in their own stream (in samples).
    Within :data:`SLIP_MS` the stream's own clock decides, so that jitter neither tears nor squeezes the sound.
    """

    __slots__ = ("_base", "_pieces")

    def __init__(self) -> None:
        self._base: int | None = None
        self._pieces: list[tuple[int, Pcm]] = []

    def put(self, at_ms: float, stream_sample: int, pcm: Pcm) -> None:
        """*pcm* begins at *at_ms* of the recording, and at *stream_sample* of its stream."""
        wall = samples(at_ms, VOICE_RATE_HZ)
        if self._base is None or abs(self._base + stream_sample - wall) > samples(SLIP_MS, VOICE_RATE_HZ):
            self._base = wall - stream_sample
        self._pieces.append((self._base + stream_sample, pcm))

    @property
    def end(self) -> int:
        """Samples up to the end of the last piece."""
        return max((at + len(pcm) for at, pcm in self._pieces), default=0)

    def render(self, length: int) -> Pcm:
        """The channel as *length* samples; nothing is where nothing was put, and what came later wins."""
        channel = silence(length)
        for at, pcm in self._pieces:
            first, last = max(at, 0), min(at + len(pcm), length)
            if first < last:
                channel[first:last] = pcm[first - at : last - at]
        return channel


@dataclass(frozen=True, slots=True)
class Recording:
    """Both sides of a conversation. Sample 0 is the replay's zero, so that ``t_ms * 24`` is a place in the file."""

    caller: Track = field(default_factory=Track)
    answer: Track = field(default_factory=Track)

    def write(self, path: Path) -> None:
        """Write 24 kHz stereo: the caller left, the answer right.

        Raises :class:`ReplayError` (``cannot_write``).
        """
        length = max(self.caller.end, self.answer.end)
        stereo = np.stack((self.caller.render(length), self.answer.render(length)), axis=1)
        try:
            with path.open("wb") as raw, wave.open(raw, "wb") as file:
                file.setnchannels(2)
                file.setsampwidth(2)
                file.setframerate(VOICE_RATE_HZ)
                file.writeframes(stereo.astype("<i2").tobytes())
        except OSError as error:
            raise ReplayError("cannot_write", f"“{path}” cannot be written: {error.strerror}.") from error
