"""pocketsphinx in a process of its own: it takes a quarter of a core for each voice. The only importer of pocketsphinx.

``python -m media.speech.sphinx_worker DECODERS`` listens to the frames of :mod:`media.speech.pipe`: ``SOUND`` holds
16 kHz samples, ``ASK`` is answered with the words so far, ``JUDGE`` with those of a short utterance (after a byte
that is 0 when it cannot tell now), ``FINISH`` with all the words; in UTF-8.

``python -m media.speech.sphinx_worker spot`` is a :class:`media.speech.sphinx_spotter.Spotter`: ``FINISH`` is answered
with the sound that the call's was, or nothing. It has a process of its own, to wait for nobody else's words.

A decoder takes 90 MB and a third of a second to load, so there are few. An utterance holds one from its first voice
to its end; when all are held, sound is kept until one is free, and caught up with at several times the speed of speech.
"""

import os
import sys
from collections import deque
from typing import Final

import numpy as np
from pocketsphinx import Decoder

from media.frames import MIC_RATE_HZ, Pcm, from_bytes, samples, silence
from media.speech.pipe import Frame, Kind, Outlet, serve
from media.speech.sphinx_spotter import SPOT, Spotter, dithered

MAX_SOUND_S: Final = 60
"""Sound of one utterance that is listened to, from its first voice on; the rest is ignored."""

_NICE: Final = 5
"""Recognition yields to the voice path when both want the processor."""

# The level at which the features' mean fits the model's idea of it was measured on tests/data/callers, raw, through
# Opus, with room noise, and 3 to 24 dB quieter: words wrong go from 93 to 60 of 741.
_LEVEL_DBFS: Final = -22.0
_CEPSTRAL_MEAN: Final = "47,3,-1,0,0,0,0,0,0,0,0,0,0"

_SLICE: Final = samples(10, MIC_RATE_HZ)
_VOICE_SLICES: Final = 30
"""The level is that of the first 300 ms of voice."""

_MIN_VOICE_SLICES: Final = 5
"""Less voice than 50 ms is no word."""

_ASKED_SLICES: Final = 15
"""Who asks in mid-word is told what 150 ms of voice sound like: a stop word is over in 300."""

_LEAD: Final = samples(300, MIC_RATE_HZ)
"""Sound kept from before the first voice: a word may begin softly."""

_QUIETEST: Final = 30.0
"""RMS of a slice, in units of the sample, below which it is silence (-61 dBFS)."""

_OVER_FLOOR: Final = 3.0
"""How far voice rises over the quietest slice so far (10 dB)."""

_MIN_GAIN: Final = 0.05
_MAX_GAIN: Final = 16.0
_PAD_BEFORE: Final = samples(200, MIC_RATE_HZ)
_PAD_AFTER: Final = samples(100, MIC_RATE_HZ)


class Level:
    """Holds sound back until it knows how loud the voice is, then gives all of it at one level."""

    def __init__(self) -> None:
        self._held = silence(0)
        self._measured = 0
        self._floor = float("inf")
        self._energies: list[float] = []
        self._gain: float | None = None

    def take(self, pcm: Pcm) -> Pcm:
        """The sound that can be given now, none as long as the level is not known."""
        if self._gain is not None:
            return _amplified(pcm, self._gain)
        self._held = np.concatenate((self._held, pcm))
        self._measure()
        if not self._energies:
            return self._wait()
        return self._settle() if len(self._energies) >= _VOICE_SLICES else silence(0)

    def finish(self, slices: int = _MIN_VOICE_SLICES) -> Pcm:
        """What is still held back, if there is a voice in it, of so many *slices* of 10 ms at least."""
        if self._gain is None and len(self._energies) >= slices:
            return self._settle()
        return silence(0)

    def _measure(self) -> None:
        slices = len(self._held) // _SLICE
        for at in range(self._measured, slices):
            energy = float(np.mean(np.square(self._held[at * _SLICE : (at + 1) * _SLICE], dtype=np.float64)))
            # Digital silence says nothing about the room.
            self._floor = min(self._floor, energy) if energy > _QUIETEST**2 else self._floor
            if energy > self._floor * _OVER_FLOOR**2 and len(self._energies) < _VOICE_SLICES:
                self._energies.append(energy)
        self._measured = slices

    def _wait(self) -> Pcm:
        """Forget the silence that nobody has spoken after."""
        surplus = (len(self._held) - _LEAD) // _SLICE
        if surplus > 0:
            self._held = self._held[surplus * _SLICE :]
            self._measured -= surplus
        return silence(0)

    def _settle(self) -> Pcm:
        rms = float(np.sqrt(np.mean(self._energies)))
        self._gain = float(np.clip(32768 * 10 ** (_LEVEL_DBFS / 20) / rms, _MIN_GAIN, _MAX_GAIN))
        held, self._held = self._held, silence(0)
        return _amplified(held, self._gain)


def _amplified(pcm: Pcm, gain: float) -> Pcm:
    amplified: Pcm = np.clip(np.rint(pcm * gain), -32768, 32767).astype(np.int16)
    return amplified


class _Utterance:
    """The sound of one call on its way into a decoder."""

    def __init__(self) -> None:
        self.level = Level()
        self.finished = False
        self.waiting: list[Pcm] = []
        self._taken = 0
        self._decoder: Decoder | None = None
        self._noise = np.random.default_rng(0)

    def take(self, pcm: Pcm) -> None:
        """More sound for the decoder."""
        pcm = pcm[: MAX_SOUND_S * MIC_RATE_HZ - self._taken]
        if len(pcm):
            self._taken += len(pcm)
            self.waiting.append(pcm)

    def begin(self, decoder: Decoder) -> None:
        """Decode from now on."""
        # What a decoder learnt of one caller's microphone is wrong for the next one's.
        decoder.set_cmn(_CEPSTRAL_MEAN)
        decoder.start_utt()
        self._decoder = decoder
        self.waiting.insert(0, silence(_PAD_BEFORE))

    def decode(self) -> None:
        """Decode what waits."""
        for pcm in self.waiting:
            self._process(pcm)
        self.waiting.clear()

    @property
    def decoding(self) -> bool:
        """True once it holds a decoder."""
        return self._decoder is not None

    def text(self) -> str:
        """The words so far."""
        hypothesis = self._decoder.hyp() if self._decoder else None
        return hypothesis.hypstr if hypothesis else ""

    def end(self) -> Decoder | None:
        """Stop decoding. The decoder, which is free then."""
        decoder = self._decoder
        if decoder:
            self._process(silence(_PAD_AFTER))
            decoder.end_utt()
        return decoder

    def _process(self, pcm: Pcm) -> None:
        noisy = dithered(pcm, self._noise)
        assert self._decoder is not None
        self._decoder.process_raw(noisy)


class _Engine:
    """Listens to many utterances with few decoders."""

    def __init__(self, outlet: Outlet, decoders: int) -> None:
        self._outlet = outlet
        self._utterances: dict[int, _Utterance] = {}
        self._queue: deque[int] = deque()
        """Utterances that wait for a decoder."""

        self._free = [_load()]
        self._unloaded = decoders - 1

    def take(self, frame: Frame) -> None:
        """Act on a frame."""
        if frame.kind is Kind.OPEN:
            self._utterances[frame.call] = _Utterance()
            return
        utterance = self._utterances.get(frame.call)
        if utterance is None:
            return
        match frame.kind:
            case Kind.SOUND:
                utterance.take(utterance.level.take(from_bytes(frame.body)))
                self._go_on(frame.call, utterance)
            case Kind.ASK:
                utterance.take(utterance.level.finish(_ASKED_SLICES))
                self._go_on(frame.call, utterance)
                self._outlet.say(Kind.ASK, frame.call, frame.body + utterance.text().encode())
            case Kind.JUDGE:
                self._outlet.say(Kind.JUDGE, frame.call, frame.body + self._judged(frame.call, utterance))
            case Kind.FINISH:
                utterance.take(utterance.level.finish())
                utterance.finished = True
                self._go_on(frame.call, utterance)
            case _:
                self._end(frame.call, utterance)

    def _judged(self, call: int, utterance: _Utterance) -> bytes:
        utterance.take(utterance.level.finish())  # a word may be over before its level is known
        self._go_on(call, utterance)
        known = utterance.decoding or not utterance.waiting
        return bytes([known]) + utterance.text().encode()

    def _go_on(self, call: int, utterance: _Utterance) -> None:
        if utterance.waiting and not utterance.decoding and not self._begin(utterance):
            if call not in self._queue:
                self._queue.append(call)
            return
        utterance.decode()
        if utterance.finished:
            self._end(call, utterance)

    def _begin(self, utterance: _Utterance) -> bool:
        if not self._free and self._unloaded:
            self._unloaded -= 1
            self._free.append(_load())
        if self._free:
            utterance.begin(self._free.pop())
        return utterance.decoding

    def _end(self, call: int, utterance: _Utterance) -> None:
        del self._utterances[call]
        decoder = utterance.end()
        if utterance.finished:
            self._outlet.say(Kind.FINISH, call, utterance.text().encode())
        if decoder:
            self._free.append(decoder)
        while self._free and self._queue:
            following = self._queue.popleft()
            if following in self._utterances:
                self._go_on(following, self._utterances[following])


def _load() -> Decoder:
    return Decoder(samprate=MIC_RATE_HZ, loglevel="FATAL")


def _engine(outlet: Outlet) -> _Engine:
    if hasattr(os, "nice"):
        os.nice(_NICE)
    return _Engine(outlet, int(sys.argv[1]))


class _Spotting:
    """Tells short sounds apart: ``SOUND`` and ``FINISH``, which is answered with one of them, or nothing."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._spotter = Spotter(Decoder(samprate=MIC_RATE_HZ, loglevel="FATAL", lm=None))
        self._sounds: dict[int, list[Pcm]] = {}

    def take(self, frame: Frame) -> None:
        """Act on a frame."""
        match frame.kind:
            case Kind.OPEN:
                self._sounds[frame.call] = []
            case Kind.SOUND if frame.call in self._sounds:
                self._sounds[frame.call].append(from_bytes(frame.body))
            case Kind.FINISH if frame.call in self._sounds:
                level = Level()
                said = [level.take(pcm) for pcm in self._sounds.pop(frame.call)]
                pcm = np.concatenate((silence(_PAD_BEFORE), *said, level.finish(), silence(_PAD_AFTER)))
                self._outlet.say(Kind.FINISH, frame.call, self._spotter.hear(pcm).encode())
            case _:
                self._sounds.pop(frame.call, None)


if __name__ == "__main__":
    serve(_Spotting if sys.argv[1] == SPOT else _engine)
