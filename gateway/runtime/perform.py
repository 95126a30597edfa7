"""Performing what a session asks for: effects become calls of models and voice legs."""

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, assert_never

from gateway.core import effects as fx, inputs as inp
from gateway.core.ids import Generation, LegId, SessionId
from gateway.core.session import Session
from gateway.core.values import Failure, Usage
from gateway.errors import AgentError, StoreError
from gateway.runtime import context
from gateway.runtime.bounds import bounded
from gateway.runtime.choice import Agents
from gateway.runtime.closing import closing
from gateway.runtime.ports import (
    STEERED,
    Agent,
    Ended,
    Piece,
    Reasoning,
    Sound,
    Steered,
    Store,
    ToolCall,
    ToolRun,
    VoicePort,
)
from gateway.runtime.regrets import regret
from gateway.runtime.seam import Seam
from gateway.runtime.shortening import Shortener
from gateway.runtime.sounding import Sounding, sounds

TOLD: Final = 1
"""Last words of an answer that a model repeats which was only told to go on."""

EXACT: Final = 3
"""The same for one that goes on with its own words: fewer may be meant, as in "very very"."""

log = logging.getLogger(__name__)

Submit = Callable[[inp.Input], Coroutine[Any, Any, None]]
Post = Callable[[inp.Input], None]


class Performer:
    """One session's hands. Owns a task for each generation, and knows the session's voice legs."""

    def __init__(
        self, session_id: SessionId, core: Session, store: Store, agents: Agents, submit: Submit, post: Post
    ) -> None:
        self._session_id = session_id
        self._core = core
        self._store = store
        self._agents = agents
        self._submit = submit
        self._post = post
        self._shortener = Shortener(session_id, store, submit)
        self._shortening: asyncio.Task[None] | None = None
        self._generations: dict[Generation, asyncio.Task[None]] = {}
        self._spoke: set[Generation] = set()
        """Whose model has said something."""

        self._stopped: set[Generation] = set()
        """What was stopped while some of its beginning may still wait for the log: that must not begin any more."""

        self._moved: dict[Generation, int] = {}
        """Of what was handed over meanwhile, how often it had moved by then: what was to begin before must not."""

        self._sounding = Sounding()
        self.voices: dict[LegId, VoicePort] = {}

    @property
    def _agent(self) -> Agent:
        """Who answers for the session's model, as it is now."""
        return self._agents.of(self._core.state.conversation.settings.model)

    @property
    def busy(self) -> bool:
        """True while a model is being asked."""
        return bool(self._generations) or (self._shortening is not None and not self._shortening.done())

    def stop(self, effect: fx.StoppingEffect) -> inp.Input | None:
        """End something now. Returns the input that tells where it ended, to be handled before all others."""
        match effect:
            case fx.CancelGeneration(generation, steers):
                self._stopped.add(generation)
                task = self._generations.pop(generation, None)
                if task is not None:
                    task.cancel(STEERED if steers else None)
            case fx.FlushPlayout(leg, generation):
                self._stopped.add(generation)
                voice = self.voices.get(leg)
                if voice is not None and (cleared := voice.flush(generation)) is not None:
                    self._sounding.silenced(generation, cleared.heard_ms)
                    return cleared
                # The leg does not know it: it never sounded there, or what ended it stands in the mailbox already
                # and must be read first.
                self._post(inp.PlayoutCleared(generation, 0, 0, started=False))
            case fx.HandOverPlayout(leg, generation, finish_ms, moves):
                self._moved[generation] = moves
                voice = self.voices.get(leg)
                if voice is None:
                    return inp.PlayoutHandedOver(generation, 0, 0, started=False)
                voice.hand_over(generation, finish_ms)
            case _:
                voice = self.voices.get(effect.leg)
                if voice is not None:
                    _stop(voice, effect)
        return None

    def start(self, effect: fx.StartingEffect) -> None:
        """Begin something, unless it was stopped before it could begin."""
        if getattr(effect, "generation", None) in self._stopped:
            return
        match effect:
            case fx.ShortenContext():
                if self._shortening is None or self._shortening.done():
                    self._shortening = asyncio.create_task(self._shorten(), name="shorten the context")
            case fx.Generate(generation=generation):
                self._spawn(generation, self._generate(effect))
            case fx.Recite(_, generation, text, rest_of):
                self._sounding.go_on(generation, rest_of)
                self._spawn(generation, self._recite(generation, text))
            case _:
                voice = self.voices.get(effect.leg)
                if voice is not None and not self._has_moved(effect):
                    _tell(voice, effect, self._sounding)

    def _has_moved(self, effect: fx.StartingEffect) -> bool:
        """Was what begins here handed over before it began?"""
        if not isinstance(effect, fx.BeginSpeech | fx.Speak | fx.FinishSpeech):
            return False
        return effect.moves <= self._moved.get(effect.generation, -1)

    def all_started(self) -> None:
        """Whatever was to begin has begun: what was stopped needs not be remembered."""
        self._stopped.clear()
        self._moved.clear()
        self._sounding.forget_others(self._core.state)

    async def aclose(self) -> None:
        """Cancel every generation and wait until it has let go."""
        tasks = [*self._generations.values(), *([] if self._shortening is None else [self._shortening])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, generation: Generation, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"generation {generation}")
        self._generations[generation] = task
        task.add_done_callback(lambda _: self._forget(generation))

    def _forget(self, generation: Generation) -> None:
        self._generations.pop(generation, None)
        self._spoke.discard(generation)

    async def _recite(self, generation: Generation, text: str) -> None:
        await self._submit(inp.TextGenerated(generation, text))
        await self._submit(inp.GenerationFinished(generation))

    async def _generate(self, asked: fx.Generate) -> None:
        generation, agent = asked.generation, self._agent
        if agent.speaks:
            self._sounding.expect(generation)
        try:
            state = self._core.state.conversation
            conversation = await context.conversation(state, self._store, self._session_id, asked, agent.steer)
            if agent.hears:
                conversation = replace(conversation, sounds=sounds(conversation.messages, self.voices.values()))
            async with closing(bounded(agent.reply(conversation), self._agents.bounds)) as answer:
                finished = await self._relay(answer, generation, None if agent.speaks else _seam(conversation.steered))
        except (AgentError, StoreError) as error:
            if error.__cause__ is not None:
                self._log(error.__cause__)
            await self._fail(asked, Failure(error.code, str(error)))
        except (Exception, asyncio.CancelledError) as error:
            # An agent is other people's code: whatever it raises ends its response, never the session. That holds
            # for a cancellation of its own making too, or nobody would ever hear of the response again.
            if isinstance(error, asyncio.CancelledError) and _told_to_stop():
                raise
            self._log(error)
            await self._fail(asked, Failure("agent_crashed", "The agent failed; the gateway's log has the details."))
        else:
            await self._submit(finished)

    async def _shorten(self) -> None:
        """Keep the context within its policy. What fails here is tried again after the next answer."""
        try:
            await self._shortener.consider(self._core.state, self._agent)
        except (AgentError, StoreError) as error:
            log.warning("a conversation was not summed up: %s", error.code, extra={"session": self._session_id})
        except Exception as error:
            self._log(error)

    async def _fail(self, asked: fx.Generate, failure: Failure) -> None:
        """End an answer that failed. Who waits to hear it is told so first; whoever steers it has a receipt."""
        response = self._core.state.by_generation(asked.generation)
        steers = asked.steers_on is not None or bool(asked.steers)
        told_otherwise = steers or self._sounding.broke_off(asked.generation)
        if response is not None and response.leg is not None and self._agents.regrets and not told_otherwise:
            language, spoke = self._core.state.conversation.settings.language, asked.generation in self._spoke
            await self._submit(inp.TextGenerated(asked.generation, regret(language, spoke=spoke)))
        await self._submit(inp.GenerationFailed(asked.generation, failure))

    async def _relay(
        self, answer: AsyncGenerator[Piece, None], generation: Generation, seam: Seam | None
    ) -> inp.GenerationFinished:
        """Hand on what the model says; of an answer that is gone on with, only what is new. Returns its end."""
        half, begun = "", seam is None
        finished = inp.GenerationFinished(generation)
        async for piece in answer:
            if not begun and not isinstance(piece, Usage | Reasoning):
                begun = True
                await self._submit(inp.GenerationBegan(generation))
            match piece:
                case str():
                    self._spoke.add(generation)
                    text, half = _whole(half + piece)
                    await self._submit(inp.TextGenerated(generation, text if seam is None else seam.feed(text)))
                case Usage():
                    finished = replace(finished, usage=(finished.usage or Usage()) + piece)
                case Ended(shortfall):
                    finished = replace(finished, shortfall=shortfall)
                case ToolCall() | ToolRun() | Reasoning():
                    await self._submit(_done(piece, generation))
                case Sound(pcm):
                    if self._sounding.take(generation, pcm):
                        await self._submit(inp.SoundBegan(generation))
        rest = _joined(half)
        await self._submit(inp.TextGenerated(generation, rest if seam is None else seam.feed(rest) + seam.end()))
        return finished

    def _log(self, error: BaseException) -> None:
        """Say what failed and where, but not its message: that may quote the conversation."""
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join(f"{frame.filename}:{frame.lineno} ({frame.name})" for frame in reversed(frames))
        log.error("an answer failed: %s at %s", type(error).__name__, places, extra={"session": self._session_id})


def _done(piece: ToolCall | ToolRun | Reasoning, generation: Generation) -> inp.Input:
    """What a model does that is no text of its answer."""
    match piece:
        case ToolCall(call_id, name, arguments):
            return inp.ToolCalled(generation, call_id, name, _joined(arguments))
        case ToolRun(call_id, name, arguments, output):
            return inp.ToolRan(generation, call_id, name, _joined(arguments), _joined(output))
        case Reasoning(text):
            return inp.Reasoned(generation, _joined(text))


def _seam(steered: Steered | None) -> Seam | None:
    if steered is None:
        return None
    return Seam(steered.partial, TOLD if steered.mode == "instruction" else EXACT)


def _told_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _whole(text: str) -> tuple[str, str]:
    """*text* as whole characters, and the half of one at its end, which the next piece may complete.

    Models behind servers that count in UTF-16 send surrogate pairs in two pieces.
    """
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return _joined(text.removesuffix(half)), half


def _joined(text: str) -> str:
    """*text* with its surrogate pairs joined; a half without its other half, which UTF-8 cannot hold, is replaced."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _stop(voice: VoicePort, effect: fx.ReleasePlayout | fx.DropUtterance | fx.PausePlayout | fx.ResumePlayout) -> None:
    match effect:
        case fx.ReleasePlayout():
            voice.release()
        case fx.DropUtterance():
            voice.drop_utterance()
        case fx.PausePlayout():
            voice.pause()
        case fx.ResumePlayout():
            voice.resume()
        case _:
            assert_never(effect)


def _tell(
    voice: VoicePort,
    effect: fx.BeginSpeech | fx.Speak | fx.FinishSpeech | fx.JudgeUtterance | fx.TranscribeTurn,
    sounding: Sounding,
) -> None:
    match effect:
        case fx.BeginSpeech():
            sounding.begin(voice, effect)
        case fx.Speak(_, generation, text):
            voice.speak(generation, text)
        case fx.FinishSpeech(_, generation):
            sounding.finish(voice, generation)
        case fx.JudgeUtterance():
            voice.judge()
        case fx.TranscribeTurn(_, item_id):
            voice.transcribe(item_id)
        case _:
            assert_never(effect)
