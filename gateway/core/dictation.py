"""The words of a turn while it is being spoken: told as far as they are sure, since what was told cannot be taken back.

A recogniser that is asked again may change its mind about the last words. What it has said twice in a row is taken to
be sure. Where it changes its mind about words that were told, nothing more is told, and the transcript puts it right.
"""

from dataclasses import replace
from itertools import takewhile

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import LegId
from gateway.core.step import Step
from gateway.core.voices import Dictation, Voice


def heard(step: Step, leg: LegId, voice: Voice, input: inp.TurnHeard) -> None:
    """The turn so far. One that is not announced has no item whose words these could be."""
    if voice.turn is None:
        return
    known = voice.dictation
    if known is None or known.turn != voice.turn:
        known = Dictation(voice.turn)
    words = tuple(input.text.split())
    sure = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], zip(known.heard, words, strict=False)))
    voice.dictation = replace(known, heard=words)
    if len(sure) > len(known.told) and sure[: len(known.told)] == known.told:
        voice.dictation = Dictation(voice.turn, words, sure)
        text = " ".join(sure[len(known.told) :])
        step.signal(ev.TurnWorded(leg, voice.turn, f" {text}" if known.told else text))
