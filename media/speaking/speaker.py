"""An answer's text, as it comes, becomes sound in the playout."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from media.speaking.loudness import Loudness
from media.speaking.playout import Playout
from media.speaking.tempo import paced
from media.speech import Manner, SpeechError, Synthesizer, spoken
from media.speech.clauses import Clause, Clauses

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Answer:
    """One answer on its way into the playout."""

    manner: Manner
    splitter: Clauses = field(default_factory=Clauses)
    clauses: asyncio.Queue[Clause | None] = field(default_factory=asyncio.Queue)
    """Unbounded: an answer's text is bounded where it is generated. None ends it."""

    task: asyncio.Task[None] | None = None
    base: int = 0
    """Where in the item's text it begins here."""

    speed: float = 1.0


class Speaker:
    """Speaks answers clause by clause, no further ahead than the playout has room.

    *manner* is asked how, at the beginning of each: a voice does not change in the middle of an answer.
    """

    def __init__(self, synthesizer: Synthesizer, playout: Playout, manner: Callable[[], Manner] = Manner) -> None:
        self._synthesizer = synthesizer
        self._manner = manner
        self._playout = playout
        self._answers: dict[int, _Answer] = {}
        self.speed = 1.0
        """How fast answers are spoken that begin from now on, of the engine's own pace."""

        self._room = asyncio.Event()
        self._loudness = Loudness()

    def begin(self, generation: int, response_id: str, item_id: str, base: int = 0, base_ms: int = 0) -> bool:
        """An answer is about to come; it sounds after those begun before. False when it was cut already.

        It goes on at the code point *base* of its item, of which *base_ms* were heard elsewhere.
        """
        if not self._playout.begin(generation, item_id, response_id, base, base_ms):
            return False
        answer = self._answers[generation] = _Answer(self._manner(), base=base, speed=self.speed)
        answer.task = asyncio.create_task(self._speak(generation, answer), name=f"speak {generation}")
        answer.task.add_done_callback(lambda _: self._forget(generation, answer))
        return True

    def _forget(self, generation: int, answer: _Answer) -> None:
        if self._answers.get(generation) is answer:  # it may have been given away, and come back
            del self._answers[generation]

    def speak(self, generation: int, text: str) -> None:
        """More text of an answer; that of an unknown or stopped one is dropped."""
        answer = self._answers.get(generation)
        if answer is not None:
            for clause in answer.splitter.feed(text):
                answer.clauses.put_nowait(clause)

    def finish(self, generation: int) -> None:
        """The answer's text is complete."""
        answer = self._answers.get(generation)
        if answer is not None:
            for clause in answer.splitter.finish():
                answer.clauses.put_nowait(clause)
            answer.clauses.put_nowait(None)

    def stop(self, generation: int) -> None:
        """Synthesize no more of this answer."""
        answer = self._answers.pop(generation, None)
        if answer is not None and answer.task is not None:
            answer.task.cancel()

    def made_room(self) -> None:
        """The playout has sent something: whoever waits for room may look again."""
        if self._answers:
            self._room.set()

    async def aclose(self) -> None:
        """Stop everything and wait until the engine was told."""
        tasks = [answer.task for answer in self._answers.values() if answer.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _speak(self, generation: int, answer: _Answer) -> None:
        speaks = True
        while (clause := await answer.clauses.get()) is not None:
            # What cannot be spoken stands in the text; the answer still ends when its text does, and not before.
            if speaks:
                speaks = await self._speaks(generation, clause, answer)
        self._playout.finish(generation)

    async def _speaks(self, generation: int, clause: Clause, answer: _Answer) -> bool:
        """Speak a clause; False when the engine could not."""
        try:
            await self._speak_clause(generation, clause, answer)
        except SpeechError as error:
            log.warning("speech synthesis failed: %s", error.code, extra={"generation": generation})
        except Exception as error:  # an engine is other people's code; its message may quote the text
            log.error("speech synthesis crashed: %s", type(error).__name__, extra={"generation": generation})
        else:
            return True
        self._playout.break_off(generation)  # what is not spoken must not count as heard
        return False

    async def _speak_clause(self, generation: int, clause: Clause, answer: _Answer) -> None:
        exact = self._synthesizer.exact_words
        self._playout.begin_clause(generation, clause.text, answer.base + clause.start, exact=exact)
        async with (
            contextlib.aclosing(spoken(self._synthesizer, clause.text, answer.manner)) as sound,
            contextlib.aclosing(paced(sound, answer.speed)) as speeches,
        ):
            async for speech in speeches:
                pcm = self._loudness.level(speech.pcm)
                while not self._playout.enqueue(generation, pcm, speech.words):
                    self._room.clear()
                    await self._room.wait()
        self._playout.end_clause(generation)
