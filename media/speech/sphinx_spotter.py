"""Short sounds that a model of English sentences does not know: "uh-huh", "mhm", "okay" said over an answer.

pocketsphinx's language model finds words in anything, and "uh-huh" becomes "but the". A keyword search has a model of
any other sound beside its words, and tells how much better a word fits than that. A word counts when it fits and
when it is what was said: it covers most of the voice. ``scripts/bench backchannel`` measures how often that is right.

About 50 ms for a second of sound; one serves all utterances of a gateway.
"""

import tempfile
from typing import Any, Final

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm, samples

SPOT: Final = "spot"
"""What tells :mod:`media.speech.sphinx_worker` to be one of these."""

LONGEST_S: Final = 1.8
"""Sound of an utterance that is listened to here, its lead and the quiet after it included: longer ones say more."""

_SOUNDS: Final = {
    "uh-huh": ("AH HH AH", "AA HH AA", "AA HH AH", "AH HH AA"),
    # The last three are how synthetic callers spell "mhm", and what the acoustic model makes of that.
    "mhm": ("M HH M", "AH M HH AH M", "IH M HH UW M", "EH M EY CH EH M", "EH UW IH CH Y UW", "IH M IH CH Y UW"),
    # A drawled one has a second vowel.
    "okay": ("OW K EY", "AH K EY", "OW K Y EY", "OW K EY IY", "OW K EY EY", "UH K Y UW IY", "OW K IH EY"),
}
_WORDS: Final = (
    "S T AA P",
    "W EY T",
    "N OW",
    "W AH T",
    "W AY",
    "HH OW L D AA N",
    "N AA T",
    "HH UW",
    "N EH K S T",
    "T UW",
)
"""Short words that are something else. Where one of them fits better, none of the sounds was said."""

_OTHER: Final = "other"

_KEEN: Final = "1e-25"
"""Threshold of the search: it reports nearly everything, and the fit decides."""

_FIT: Final = 0.848
"""Scores lie between 0.81 and 0.89; other words' and noises' best ones that cover the voice lie below 0.85."""

_COVER: Final = 0.5
"""Share of the voice that the word must cover."""

_MIN_VOICE: Final = 20
"""Frames of 10 ms: no backchannel is shorter, and anything fits into less."""

_OVER_FLOOR: Final = 9.0
_UNDER_PEAK: Final = 10**-2.5
"""Voice is what is 10 dB over the quietest tenth, and at most 25 dB under the loudest (in energy)."""

_QUIETEST: Final = 4.0
"""Energy below which a frame is padding: it says nothing about the room."""

_CEPSTRAL_MEAN: Final = "47,3,-1,0,0,0,0,0,0,0,0,0,0"


class Spotter:
    """Knows a few sounds. *decoder* is a pocketsphinx ``Decoder`` without a language model, which belongs to it."""

    def __init__(self, decoder: Any) -> None:
        self._decoder: Final = decoder
        with tempfile.NamedTemporaryFile("w", suffix=".list") as keywords:
            for word, ways in (*_SOUNDS.items(), (_OTHER, _WORDS)):
                for number, phones in enumerate(ways):
                    name = f"{word}_{number}"
                    self._decoder.add_word(name, phones, False)
                    keywords.write(f"{name} /{_KEEN}/\n")
            keywords.flush()
            self._decoder.add_kws("sounds", keywords.name)
        self._decoder.activate_search("sounds")

    def hear(self, pcm: Pcm) -> str:
        """The sound that 16 kHz *pcm*, at the level of speech, consists of; ``""`` when it is something else."""
        first, last = _voice(pcm)
        if last - first < _MIN_VOICE or len(pcm) > LONGEST_S * MIC_RATE_HZ:
            return ""
        self._decoder.set_cmn(_CEPSTRAL_MEAN)
        self._decoder.start_utt()
        self._decoder.process_raw(dithered(pcm, np.random.default_rng(0)), full_utt=False)
        self._decoder.end_utt()
        fits = [
            (found.prob, found.word.strip().rpartition("_")[0])
            for found in self._decoder.seg() or ()
            if min(last, found.end_frame) - max(first, found.start_frame) >= _COVER * (last - first)
        ]
        fit, sound = max(fits, default=(0.0, _OTHER))
        return sound if fit >= _FIT and sound != _OTHER else ""


def dithered(pcm: Pcm, noise: np.random.Generator) -> bytes:
    """*pcm* for a decoder: its features are logarithms, and a lowest bit of noise keeps digital silence finite."""
    return bytes(np.clip(pcm + noise.integers(-1, 2, len(pcm)), -32768, 32767).astype("<i2").tobytes())


def _voice(pcm: Pcm) -> tuple[int, int]:
    """Where the voice begins and ends, in frames of 10 ms."""
    frame = samples(10, MIC_RATE_HZ)
    count = len(pcm) // frame
    if not count:
        return 0, 0
    energy = np.mean(np.square(pcm[: count * frame].reshape(count, frame), dtype=np.float64), axis=1)
    room = energy[energy > _QUIETEST]
    if not len(room):
        return 0, 0
    floor = float(np.percentile(room, 10)) * _OVER_FLOOR
    (on,) = np.nonzero(energy > max(floor, float(energy.max()) * _UNDER_PEAK))
    return (int(on[0]), int(on[-1]) + 1) if len(on) else (0, 0)
