"""What a person reads: one line per important thing, and never the markup of somebody else."""

import io

from rich.console import Console

from gateway.replay.narration import LONGEST, Narrator
from gateway.replay.story import Story
from gateway.replay.timeline import report
from tests.replay.scripts import Script, barge_in


def told(script: Script, *, styled: bool = False) -> str:
    """What is printed when *script* happens again, event by event and packet by packet."""
    out = Console(file=io.StringIO(), width=200, force_terminal=styled, legacy_windows=False, _environ={})
    narrator, story = Narrator(out), Story()
    happened = [(seen.t_ms, seen) for seen in script.story.seen] + [(t_ms, None) for t_ms in script.story.audible_ms]
    story.played = script.story.played
    for t_ms, seen in sorted(happened, key=lambda it: it[0]):
        if seen is None:
            narrator.audible(t_ms)
        else:
            story.see(t_ms, seen.event)
            narrator.tell(t_ms, seen.event, story)
    narrator.conclude(report(script.story, url="", transport="webrtc", now_ms=10_000, failure=None))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_the_scenario_reads_as_a_timeline() -> None:
    printed = told(barge_in())
    lines = [line for line in printed.splitlines() if line.strip()]
    for line in (
        "   3.000  caller   “tell me a long story”",
        "   3.405  answer   begins to sound",
        "   5.701  answer   cut: heard “Once upon a” | unheard “ time there was a fox.”",
        "   8.305  answer   begins to sound",
        "   9.060  answer   ends",
    ):
        assert line in lines
    assert "2 no.wav" in printed
    assert "45.0 ms" in printed


def test_the_unheard_part_is_struck_through() -> None:
    assert "\x1b[2;9m time there was a fox.\x1b[0m" in told(barge_in(), styled=True)


def test_only_the_first_pause_is_measured_from_the_onset() -> None:
    script = Script()
    script.create(1000, "a")
    script.buffer(1100, "a", "started")
    script.play("no.wav", 2000, 3000)
    script.buffer(2040, "a", "paused")
    script.buffer(2400, "a", "resumed")
    script.buffer(2480, "a", "paused")
    printed = told(script)
    assert "suspected → paused (40 ms after onset)" in printed
    assert "suspected → paused again" in printed


def test_a_long_answer_shows_the_end_of_what_was_heard_and_the_beginning_of_the_rest() -> None:
    script = Script()
    script.truncate(1000, "a", "a" * LONGEST + "heard", "unheard" + "b" * LONGEST)
    [line] = [line for line in told(script).splitlines() if "cut:" in line]
    assert f"…{'a' * (LONGEST - 5)}heard" in line
    assert f"unheard{'b' * (LONGEST - 7)}…" in line


def test_words_are_printed_as_they_are_said() -> None:
    script = Script()
    script.transcript(1000, "item_u1", "[red]it[/] is [bold]")
    assert "“[red]it[/] is [bold]”" in told(script)


def test_what_goes_wrong_is_told() -> None:
    script = Script()
    script.tell(900, "error", error={"code": "invalid_value"})
    script.tell(910, "command.rejected", code="session_closed")
    script.tell(920, "conversation.item.input_audio_transcription.failed", error={"code": "engine_failed"})
    script.create(1000, "a")
    script.done(1100, "a", "failed", error={"code": "model_timeout"})
    script.create(1200, "b")
    printed = told(script)
    for line in ("refuses: invalid_value", "refuses: session_closed", "(engine_failed)", "failed: model_timeout"):
        assert line in printed
    assert "Not as it should be: resp_b reached no end." in printed


def test_an_answer_that_continues_another_says_so() -> None:
    script = Script()
    script.create(1000, "a", continues="resp_0")
    script.done(1100, "a", "cancelled", reason="client_cancelled")
    printed = told(script)
    assert "resp_a begins (the unheard rest)" in printed
    assert "is cancelled (client_cancelled)" in printed
