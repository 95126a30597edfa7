"""espeak-ng in a process of its own: it is GPL-3, global to its process and not re-entrant.

``python -m media.speech.espeak_worker VOICE RATE_WPM`` speaks the frames of :mod:`media.speech.pipe`: the body of
``OPEN`` is a text in UTF-8, ``SOUND`` holds packed speech, ``FINISH`` is empty. The only importer of espeakng_loader.
"""

import ctypes
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import espeakng_loader
import numpy as np

from media.frames import VOICE_RATE_HZ, Pcm
from media.resample import Resampler
from media.speech import Speech, SpeechError, Word
from media.speech.pipe import Frame, Kind, Outlet, pack, serve

# From espeak-ng's speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS: Final = 2
_INITIALIZE_DONT_EXIT: Final = 0x8000
_CHARS_UTF8: Final = 0x1
_ENDPAUSE: Final = 0x1000
_POS_CHARACTER: Final = 1
_RATE: Final = 1
_VOLUME: Final = 2
_EVENT_LIST_TERMINATED: Final = 0
_EVENT_WORD: Final = 1
_EE_OK: Final = 0

_BUFFER_MS: Final = 20

_VOLUME_PERCENT: Final = 85
"""Speech comes out near -22 dBFS RMS and peaks below -0.6 dBFS; at 100 it touches full scale and resampling clips."""

_UNSPOKEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, one of which ends a text and one begins a command, and what UTF-8 cannot hold."""

_MARKUP: Final = re.compile(
    r"^[ \t]*(?:\#{1,6}|[-*+>])(?=[ \t])|(?<!\w)[*_]{1,3}(?=\w)|(?<=[\w.,;:!?…])[*_]{1,3}(?!\w)|`+", re.MULTILINE
)
"""Markdown that models write although they are asked not to: it would be read as "asterisk, asterisk"."""

_ENDS_IN_PAUSE: Final = re.compile(r"[.!?,;:…—–。！？，、；：]\s*$|\n\s*$")
_UNMEASURED: Final = re.compile(r"\w+|\S")
"""A word of which espeak-ng does not know the length, as before a typographic quote."""

_AFTER_WORDS: Final = " \t\r\n.,;:!?…"
"""What espeak-ng may count as a word's: the point in "the number 108."."""

_JOINED: Final = re.compile(r"(?:['’.\-]\w+)*")
"""What follows a word as espeak-ng counts them and belongs to it: the "'t" of "don't", the "-go" of "stop-go"."""

Give = Callable[[Speech], bool]
"""Takes the next piece; false when no more is wanted."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Voice:
    """The library, with one voice. There can be only one in a process. Raises :class:`SpeechError`."""

    def __init__(self, name: str, rate_wpm: int) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        path = espeakng_loader.get_data_path().encode()
        self._rate_hz = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, path, _INITIALIZE_DONT_EXIT
        )
        if self._rate_hz <= 0:
            raise SpeechError("engine_unavailable", "espeak-ng cannot be initialised.")
        if self._library.espeak_SetVoiceByName(name.encode()) != _EE_OK:
            raise SpeechError("engine_unavailable", "espeak-ng has no such voice.")
        self._library.espeak_SetParameter(_RATE, rate_wpm, 0)
        self._library.espeak_SetParameter(_VOLUME, _VOLUME_PERCENT, 0)
        self._callback = _Callback(self._called)
        self._library.espeak_SetSynthCallback(self._callback)
        self._speaking: tuple[Tape, Give] | None = None

    def speak(self, text: str, give: Give) -> None:
        """Speak *text*, in pieces, until it ends or *give* says so. It is no SSML; marks of Markdown are silent."""
        # Whatever is left out leaves as much space, so that every offset is one of the given text.
        data = _MARKUP.sub(lambda mark: " " * len(mark[0]), _UNSPOKEN.sub(" ", text)).encode()
        # Inside a longer text a mark is followed by a pause, at the end only on demand (or before a closing quote).
        flags = _CHARS_UTF8 | (_ENDPAUSE if _ENDS_IN_PAUSE.search(text) else 0)
        self._speaking = Tape(text, self._rate_hz), give
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, _POS_CHARACTER, 0, flags, None, None)
        self._speaking = None

    def _called(self, samples: Any, count: int, events: Any) -> int:
        if self._speaking is None:
            return 1
        tape, give = self._speaking
        index = 0
        while (event := events[index]).type != _EVENT_LIST_TERMINATED:
            if event.type == _EVENT_WORD:
                tape.word(event.text_position, event.length, event.sample)
            index += 1
        speech = tape.piece(np.ctypeslib.as_array(samples, (count,)).copy()) if samples else tape.end()
        return 0 if speech is None or give(speech) else 1


class Tape:
    """Turns what espeak-ng reports of one text into pieces of speech."""

    def __init__(self, text: str, rate_hz: int) -> None:
        self._text = text
        self._rate_hz = rate_hz
        self._resampler = Resampler(rate_hz, VOICE_RATE_HZ)
        self._early = self._resampler.delay
        self._covered = 0
        self._sample = 0
        self._words: list[Word] = []
        self._spoke = False
        self._held: list[Pcm] = []

    def word(self, position: int, length: int, sample: int) -> None:
        """A word begins. *position* counts the text's code points from 1, *sample* those of espeak-ng.

        Parts of a word (the digits of a number, a sound within a name) are reported as words too: they are left out.
        """
        start = position - 1
        if start < self._covered or not (unmeasured := _UNMEASURED.match(self._text, start)):
            return
        spoken = self._text[start : start + length] if length else unmeasured[0]
        end = start + len(spoken.rstrip(_AFTER_WORDS) or spoken.rstrip())
        joined = _JOINED.match(self._text, end)
        self._covered = joined.end() if joined else end
        self._sample = max(self._sample, round(sample * VOICE_RATE_HZ / self._rate_hz))
        self._words.append(Word(start, self._covered, self._sample))

    def piece(self, pcm: Pcm) -> Speech | None:
        """The next piece, or None as long as no word has been reported: a text without words is not spoken."""
        self._held.append(pcm)
        if not (self._spoke or self._words):
            return None
        return self._speech(self._resampler.process(np.concatenate(self._held)))

    def end(self) -> Speech | None:
        """The last piece, which the resampler has kept back."""
        return self._speech(self._resampler.flush()) if self._spoke else None

    def _speech(self, pcm: Pcm) -> Speech:
        words = tuple(self._words)
        self._words.clear()
        self._held.clear()
        self._spoke = True
        early = min(self._early, len(pcm))
        self._early -= early
        return Speech(pcm[early:], words)


class _Engine:
    """Speaks one text after the other."""

    def __init__(self, outlet: Outlet, voice: Voice) -> None:
        self._outlet = outlet
        self._voice = voice

    def take(self, frame: Frame) -> None:
        """Speak the text of ``OPEN``."""
        if frame.kind is not Kind.OPEN:
            return

        def give(speech: Speech) -> bool:
            self._outlet.say(Kind.SOUND, frame.call, pack(speech))
            return not self._outlet.cancelled(frame.call)

        self._voice.speak(frame.body.decode("utf-8", "surrogatepass"), give)
        if not self._outlet.cancelled(frame.call):
            self._outlet.say(Kind.FINISH, frame.call)


if __name__ == "__main__":
    serve(lambda outlet: _Engine(outlet, Voice(sys.argv[1], int(sys.argv[2]))))
