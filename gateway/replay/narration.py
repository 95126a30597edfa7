"""What a person reads while a replay runs: one line per important thing, and a table at the end."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.replay.story import Event, Story, text_at
from gateway.replay.timeline import Interruption, Report

LONGEST: Final = 100
"""Characters of an answer that one line shows: of what was heard its end, of the rest its beginning."""

_STYLES: Final = {"caller": "cyan", "gateway": "yellow", "answer": "green", "replay": "dim"}


class Narrator:
    """Prints lines as they happen. Text of people and models is printed as it is, without markup."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._silent = True
        """No sound of the current answer has been heard yet."""

    def say(self, t_ms: float, who: str, what: str | Text) -> None:
        """Print one line: *who* is ``caller``, ``gateway``, ``answer`` or ``replay``."""
        line = Text.assemble((f"{t_ms / 1000:8.3f}  ", "dim"), (f"{who:<8} ", _STYLES[who]), what)
        self._out.print(line, soft_wrap=True, highlight=False)

    def audible(self, t_ms: float) -> None:
        """An audible frame of the answer was heard."""
        if self._silent:
            self._silent = False
            self.say(t_ms, "answer", "begins to sound")

    def tell(self, t_ms: float, event: Event, story: Story) -> None:
        """Print the line of a server event, which *story* has seen already; most have none."""
        kind = text_at(event, "type")
        over = kind == "output_audio_buffer.stopped"
        if over or (kind == "response.created" and not any(it.sounding_at(t_ms) for it in story.answers.values())):
            self._silent = True
        line = _heard(kind, event) or _doubt(kind, t_ms, story) or _answer(kind, event, story)
        if line is not None:
            self.say(t_ms, *line)

    def conclude(self, report: Report) -> None:
        """Print the table of interruptions, and what failed."""
        if report.interruptions:
            self._out.print(_table(report))
        if report.failure is not None:
            self._out.print(Text(f"Not as it should be: {report.failure}", "bold red"), soft_wrap=True)


def _heard(kind: str, event: Event) -> tuple[str, str | Text] | None:
    match kind:
        case "session.created":
            return "gateway", f"session {text_at(event, 'session', 'id')}"
        case "input_audio_buffer.speech_started":
            return "gateway", "hears the caller"
        case "input_audio_buffer.speech_stopped":
            return "gateway", "the caller has finished"
        case "conversation.item.input_audio_transcription.completed":
            return "caller", f"“{text_at(event, 'transcript')}”"
        case "conversation.item.input_audio_transcription.failed":
            return "caller", f"not understood ({text_at(event, 'error', 'code')})"
        case "error" | "command.rejected":
            code = text_at(event, "error", "code") or text_at(event, "code")
            return "gateway", Text(f"refuses: {code}", "red")
        case _:
            return None


def _doubt(kind: str, t_ms: float, story: Story) -> tuple[str, str | Text] | None:
    match kind:
        case "output_audio_buffer.paused":
            return "gateway", f"suspected → paused{_since_onset(t_ms, story)}"
        case "input_audio_buffer.speech_confirmed":
            return "gateway", "confirmed: it is speech"
        case "output_audio_buffer.resumed":
            return "gateway", "dismissed → the answer goes on"
        case _:
            return None


def _since_onset(t_ms: float, story: Story) -> str:
    onset_ms = story.played[-1].onset_ms if story.played else None
    if onset_ms is None:
        return ""
    pauses = sum(it.type == "output_audio_buffer.paused" and it.t_ms >= onset_ms for it in story.seen)
    return f" ({t_ms - onset_ms:.0f} ms after onset)" if pauses == 1 else " again"


def _answer(kind: str, event: Event, story: Story) -> tuple[str, str | Text] | None:
    match kind:
        case "response.created":
            continues = text_at(event, "response", "continues")
            return "answer", f"{text_at(event, 'response', 'id')} begins{' (the unheard rest)' if continues else ''}"
        case "response.done":
            answer = story.answers.get(text_at(event, "response", "id"))
            if answer is None or answer.status == "cancelled":
                return "answer", f"is cancelled ({answer.reason if answer else ''})"
            if answer.status != "completed":
                return "answer", Text(f"{answer.status}: {answer.reason}", "red")
            return "answer", f"is made: “{_beginning(answer.text)}”"
        case "output_audio_buffer.stopped":
            return "answer", "ends"
        case "conversation.item.truncated" if "heard_text" in event:
            return "answer", _cut(text_at(event, "heard_text"), text_at(event, "unheard_text"))
        case _:
            return None


def _cut(heard: str, unheard: str) -> Text:
    rest = (_beginning(unheard), "dim strike")
    return Text.assemble(("cut: ", "bold"), f"heard “{_end(heard)}” | unheard “", rest, "”")


def _beginning(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _end(text: str) -> str:
    return text if len(text) <= LONGEST else f"…{text[-LONGEST:]}"


def _table(report: Report) -> Table:
    table = Table(title="Interruptions", title_justify="left")
    for name in ("step", "at", "silent after", "told after", "what became of the answer"):
        table.add_column(name, justify="left" if name.startswith(("step", "what")) else "right")
    for it in report.interruptions:
        at, after, told = f"{it.at_ms / 1000:.3f} s", _ms(it.stop_latency_ms), _ms(it.told_after_ms)
        table.add_row(Text(f"{it.step} {it.file}"), at, after, told, _outcome(it))
    if len(report.interruptions) > 1:
        summary = report.summary
        table.add_section()
        table.add_row("median", "", _ms(summary.stop_latency_median_ms), "", "")
        table.add_row("worst", "", _ms(summary.stop_latency_worst_ms), "", "")
    return table


def _ms(ms: float | None) -> str:
    return "–" if ms is None else f"{ms:.1f} ms"


def _outcome(interruption: Interruption) -> str:
    named = (("paused", interruption.paused), ("resumed", interruption.resumed), ("cut", interruption.cut))
    return ", ".join(name for name, true in named if true) or "went on"
