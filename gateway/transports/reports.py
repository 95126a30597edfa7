"""What a voice leg reports, as inputs of the session."""

from typing import TypeAlias, assert_never

from gateway.core import inputs as inp
from gateway.core.ids import Generation, ItemId
from gateway.core.values import Failure
from media import leg
from media.hearing import edges, endpoint, idleness, scribe
from media.speaking import playout

_Turn: TypeAlias = endpoint.TurnStarted | endpoint.TurnEnded | endpoint.Pressed | endpoint.Discarded


def input_of(report: leg.Report, prefix_ms: int) -> inp.Input | None:
    """The input that tells of *report*; a turn holds *prefix_ms* from before its onset. None: the session need not
    know."""
    match report:
        case edges.Suspected(onset_ms):
            return inp.SpeechSuspected(onset_ms)
        case edges.Dismissed():
            return inp.SpeechDismissed()
        case edges.Confirmed(onset_ms):
            return inp.SpeechConfirmed(onset_ms, prefix_ms, report.level_db)
        case edges.Sustained():
            return inp.SpeechSustained()
        case edges.Ended():
            return inp.SpeechEnded()
        case endpoint.TurnStarted() | endpoint.TurnEnded() | endpoint.Pressed() | endpoint.Discarded():
            return _turn(report)
        case idleness.Idle(start_ms, end_ms):
            return inp.IdleTimedOut(start_ms, end_ms)
        case playout.Started() | playout.Stopped() | playout.Left():
            return _playout(report)
        case _:
            return _words(report)


def _turn(edge: _Turn) -> inp.Input | None:
    match edge:
        case endpoint.TurnStarted():
            return None  # the session announces a turn when it has decided that it is one
        case endpoint.TurnEnded(start_ms, end_ms):
            return inp.TurnEnded(start_ms, end_ms)
        case endpoint.Pressed(at_ms, preroll_ms):
            return inp.TalkPressed(at_ms, preroll_ms)
        case endpoint.Discarded():
            return inp.TurnDiscarded()
        case _:
            assert_never(edge)


def _playout(edge: playout.Edge) -> inp.Input:
    generation = Generation(edge.generation)
    match edge:
        case playout.Started():
            return inp.PlayoutStarted(generation)
        case playout.Stopped():
            return inp.PlayoutStopped(generation, edge.heard_ms, None if edge.whole else edge.heard_chars)
        case playout.Left():
            return inp.PlayoutHandedOver(generation, edge.heard_chars, edge.heard_ms, started=edge.started)
        case _:
            assert_never(edge)


def _words(words: scribe.Words) -> inp.Input:
    match words:
        case scribe.Heard(text):
            return inp.SpeechHeard(text)
        case scribe.SoFar(text):
            return inp.TurnHeard(text)
        case scribe.Judged(text):
            return inp.SpeechJudged(text)
        case scribe.Transcribed(tag, text):
            return inp.TurnTranscribed(ItemId(tag), text)
        case scribe.TranscriptionFailed(tag, code, message):
            return inp.TurnTranscriptionFailed(ItemId(tag), Failure(code, message))
        case _:
            assert_never(words)


def where_it_stood(cleared: playout.Cleared) -> inp.PlayoutCleared:
    """An answer was silenced."""
    return inp.PlayoutCleared(
        Generation(cleared.generation), cleared.heard_chars, cleared.heard_ms, started=cleared.started
    )
