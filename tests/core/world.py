"""A small world around a session: ears, loudspeakers, models and people, all of them slow and some unreliable.

Each source's reports arrive in the order in which they were made; between sources anything goes, as it
does between devices, processes and nodes. Every choice is a number, so that a failing world shrinks.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, get_args

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId
from gateway.core.policy import is_stop_word
from gateway.core.values import Context, Immediate, Settings, Waiting
from tests.core.laws import Laws
from tests.core.script import BROKEN, CHAT, DEADLINE, PHONE, STOCK, TABLET, Talk, Told

WORDS: Final = ("", "Yeah.", "Stop.", "What about Tuesday?", "...")
TOKENS: Final = ("One", " two", " thrée.", " ")
HOW: Final[tuple[inp.OnActive, ...]] = (*get_args(Immediate), *get_args(Waiting))
VOICED: Final = tuple(how for how in HOW if how != "reject")
"""What a voice may do in this world: whoever speaks is answered."""

TYPED: Final = ("Count, please.", "Stop!", "And letters?")


@dataclass(slots=True)
class Sound:
    """One answer on a loudspeaker."""

    generation: Generation
    base: int = 0
    """How much of the item's text was spoken elsewhere."""

    text: str = ""
    heard: int = 0
    leaving: bool = False
    """It is given away as soon as the word is over."""

    started: bool = False
    finished: bool = False


@dataclass(slots=True)
class Device:
    """A voice leg: its ears, its loudspeaker, and what it has yet to report."""

    leg: LegId
    reports: deque[inp.Input] = field(default_factory=deque)
    ear: str = "quiet"
    in_turn: bool = False
    held: bool = False
    paused: bool = False
    """A button holds its loudspeaker."""

    judging: int = 0
    untold: list[ItemId] = field(default_factory=list)
    """Turns whose words were asked for."""

    sounds: list[Sound] = field(default_factory=list)
    gone: bool = False


class World:
    """Runs a session by a list of numbers, and keeps the laws."""

    def __init__(self) -> None:
        self.talk = Talk(voices=())
        self.laws = Laws(self.talk)
        self.now = 0.0
        self.devices: dict[LegId, Device] = {}
        self.models: set[Generation] = set()
        self.said: deque[inp.Input] = deque()
        """What models have said and the session has not yet heard."""

        self.spoken_as: dict[ItemId, Generation] = {}
        """Which generation each spoken item was."""

        self.heard: dict[Generation, str] = {}
        """What was really heard of each answer that a loudspeaker took up."""

        self.late: set[Generation] = set()
        """Answers that a loudspeaker did not give away in time."""

        self.hanging: set[ItemId] = set()
        """Turns whose speakers wait for an answer."""

        self.cutting: set[ItemId] = set()
        """Turns that stopped a model, so that something is left to say if they hold no words."""

        self._come_or_go(0)

    # --- the session ---

    def tell(self, input: inp.Input, leg: LegId = LegId("")) -> None:
        """The session learns of something; what it asks for is done at once, or starts to be."""
        if isinstance(input, inp.DeadlineReached):
            self._give_up_loudspeakers()
        self.talk.tell((self.now, input, leg))
        told = self.talk.told[-1]
        self.laws.after(told)
        self._who_waits(told)
        for stopping in told.outcome.stopping:
            self._stop(stopping)
        for starting in told.outcome.starting:
            self._start(starting)
        if isinstance(input, inp.LegLeft):
            self.devices.pop(leg, None)

    def _give_up_loudspeakers(self) -> None:
        """One that has not let go, or fallen silent, in time is gone, and what it said last was not heard."""
        state = self.talk.session.state
        for generation in [it for it, cut in state.moment.cuts.items() if cut.due <= self.now]:
            response = state.by_generation(generation)
            if response is not None and not response.sounding and generation in self.heard:
                self.heard[generation] = self.heard[generation][: response.heard_chars]
        for response in state.alive():
            if state.moment.handover.moves.get(response.generation, self.now + 1) <= self.now:
                self.late.add(response.generation)
                for device in self.devices.values():
                    device.sounds = [it for it in device.sounds if it.generation != response.generation]

    def _who_waits(self, told: Told) -> None:
        """Words that ask for something want an answer, and a cut for nothing is not the end of one.

        A command changes what is wanted, so that whoever waited before it waits no longer.
        """
        if _is_command(told):
            self.hanging.clear()
            self.cutting.clear()
        for event in told.outcome.events:
            match event:
                case ev.ItemTranscribed() if not is_stop_word(event.text, "en"):
                    self.hanging.add(event.item_id)
                case ev.ItemRemoved(item_id, "not_speech") | ev.ItemTranscriptionFailed(item_id):
                    self.hanging |= {item_id} & self.cutting
                case ev.ResponseStarted() | ev.ResponseSteered() | ev.ItemTranscribed() | ev.BranchSelected():
                    self.hanging.clear()
                    self.cutting.clear()
                case _:
                    pass
        if any(isinstance(effect, fx.Generate) for effect in told.outcome.starting):  # an answer that was steered, too
            self.hanging.clear()
        voice = self.talk.session.state.moment.voices.get(told.leg)
        stopped_a_model = any(isinstance(effect, fx.CancelGeneration) for effect in told.outcome.stopping)
        by_words = isinstance(told.input, inp.TurnTranscribed)  # of a turn before the one that is being spoken
        if stopped_a_model and not (by_words or _is_command(told)) and voice is not None and voice.turn is not None:
            self.cutting.add(voice.turn)

    def _stop(self, effect: fx.StoppingEffect) -> None:
        match effect:
            case fx.CancelGeneration(generation):
                self.models.discard(generation)
            case fx.FlushPlayout(leg, generation):
                self._flush(self.devices[leg], generation)
            case fx.HandOverPlayout(leg, generation):
                self._hand_over(self.devices[leg], generation)
            case fx.ReleasePlayout(leg):
                self.devices[leg].held = False
            case fx.DropUtterance(leg):
                self.devices[leg].in_turn = False
            case fx.PausePlayout(leg) | fx.ResumePlayout(leg):
                self.devices[leg].paused = isinstance(effect, fx.PausePlayout)
                self._let_go(self.devices[leg])

    def _flush(self, device: Device, generation: Generation) -> None:
        device.held = False
        found = next((it for it in device.sounds if it.generation == generation), None)
        if found is None:
            device.reports.append(inp.PlayoutCleared(generation, 0, 0, started=False))
            return
        device.sounds.remove(found)
        reached = found.base + found.heard
        report = inp.PlayoutCleared(generation, reached, reached * 60, found.started)
        if len(self.talk.told) % 2:
            device.reports.append(report)  # a loudspeaker on another node
        else:
            device.reports.appendleft(report)  # one that answers at once

    def _hand_over(self, device: Device, generation: Generation) -> None:
        found = next((it for it in device.sounds if it.generation == generation), None)
        if found is None:
            device.reports.append(inp.PlayoutHandedOver(generation, 0, 0, started=False))
            return
        found.leaving = True
        if not found.started or len(self.talk.told) % 2:
            self._let_go(device)

    def _let_go(self, device: Device) -> None:
        """Give away what is to be given away, after the last whole word."""
        for sound in [it for it in device.sounds if it.leaving]:
            device.sounds.remove(sound)
            heard = sound.text[: sound.heard]
            reached = sound.base + (len(heard) if heard == sound.text else len(heard.rpartition(" ")[0]))
            self.heard[sound.generation] = self.heard[sound.generation][:reached]
            device.reports.append(inp.PlayoutHandedOver(sound.generation, reached, reached * 60, sound.started))

    def _start(self, effect: fx.StartingEffect) -> None:
        match effect:
            case fx.Generate(_, generation):
                self.models.add(generation)
            case fx.Recite(_, generation, text):
                self.said += (inp.TextGenerated(generation, text), inp.GenerationFinished(generation))
            case fx.ShortenContext():
                path = self.talk.path
                self.said += [inp.ContextOutgrown(it, text="They talked.") for it in path[len(path) // 2 :][:1]]
            case _:
                device = self.devices.get(effect.leg)
                if device is not None and not device.gone:
                    self._voice(device, effect)

    def _voice(
        self,
        device: Device,
        effect: fx.BeginSpeech | fx.Speak | fx.FinishSpeech | fx.JudgeUtterance | fx.TranscribeTurn,
    ) -> None:
        match effect:
            case fx.BeginSpeech(_, generation, _, item_id):
                self.spoken_as[item_id] = generation
                device.sounds.append(Sound(generation, effect.heard_chars))
                if generation in self.late:
                    self.heard[generation] = self.heard[generation][: effect.heard_chars]
                assert len(self.heard.setdefault(generation, "")) == effect.heard_chars, "a word is lost, or doubled"
            case fx.Speak(_, generation, text):
                for sound in self._sounds(device, generation):
                    sound.text += text
            case fx.FinishSpeech(_, generation):
                for sound in self._sounds(device, generation):
                    sound.finished = True
            case fx.JudgeUtterance():
                device.judging += 1
            case fx.TranscribeTurn(_, item_id):
                device.untold.append(item_id)

    def _sounds(self, device: Device, generation: Generation) -> list[Sound]:
        """None of that generation where it was given away meanwhile."""
        return [it for it in device.sounds if it.generation == generation]

    # --- what can happen ---

    def choices(self) -> list[Callable[[int], None]]:
        """Everything that can happen next; each takes a number that decides the details."""
        found: list[Callable[[int], None]] = [self._wait, self._wait, self._command, self._come_or_go]
        for device in self.devices.values():
            if device.reports:
                found += [partial(self._report, device)] * 8
            if not device.gone:
                found += self._ears(device) + self._mouth(device) * 6 + self._recogniser(device) * 3
        if self.said:
            found += [self._hear_model] * 8
        found.append(self._present)
        found += [partial(self._generate, generation) for generation in self.models] * 3
        return found

    def _wait(self, n: int) -> None:
        self.now += 3.0 if n % 16 == 15 else 0.05 * (n % 5)
        due = self.talk.session.next_deadline()
        if due is not None and due <= self.now:
            self.tell(DEADLINE)

    def _report(self, device: Device, _: int = 0) -> None:
        self.tell(device.reports.popleft(), device.leg)

    def _hear_model(self, _: int = 0) -> None:
        self.tell(self.said.popleft())

    def _come_or_go(self, n: int) -> None:
        leg = (PHONE, STOCK, TABLET)[n % 3]
        if n % 8:
            return
        if leg not in self.devices:
            self.devices[leg] = Device(leg)
            self.tell(inp.DeviceJoined(leg, "phone"), leg)
            self.tell(inp.VoiceJoined(revocable=leg != STOCK), leg)
        elif not self.devices[leg].gone:
            self._leave(self.devices[leg])

    def _leave(self, device: Device) -> None:
        device.gone = True
        for sound in device.sounds:
            reached = sound.base + sound.heard
            device.reports.append(inp.PlayoutCleared(sound.generation, reached, reached * 60, sound.started))
        device.sounds.clear()
        device.reports.append(inp.LegLeft(goodbye=len(self.talk.told) % 2 == 0))

    def _ears(self, device: Device) -> list[Callable[[int], None]]:
        moves: dict[str, list[Callable[[int], None]]] = {
            "quiet": [partial(self._maybe_suspect, device)],
            "suspected": [partial(self._dismiss, device), partial(self._confirm, device)],
            "voiced": [
                partial(self._sustain, device),
                partial(self._hear_so_far, device),
                partial(self._fall_silent, device),
            ],
        }
        found = moves[device.ear]
        if device.in_turn and device.ear == "quiet":
            found += [partial(self._end_turn, device)] * 2
        return [*found, partial(self._by_hand, device)]

    def _maybe_suspect(self, device: Device, n: int) -> None:
        answers = any(sound.started for it in self.devices.values() for sound in it.sounds)
        if n % 8 < (4 if answers else 1):
            self._suspect(device)

    def _suspect(self, device: Device) -> None:
        device.ear, device.held = "suspected", True
        self._let_go(device)
        device.reports.append(inp.SpeechSuspected(int(self.now * 1000)))

    def _dismiss(self, device: Device, _: int = 0) -> None:
        device.ear, device.held = "quiet", False
        device.reports.append(inp.SpeechDismissed())

    def _confirm(self, device: Device, n: int) -> None:
        device.ear, device.in_turn = "voiced", True
        device.reports.append(inp.SpeechConfirmed(int(self.now * 1000), n % 400))

    def _sustain(self, device: Device, _: int) -> None:
        device.reports.append(inp.SpeechSustained())

    def _hear_so_far(self, device: Device, n: int) -> None:
        device.reports.append(inp.SpeechHeard(WORDS[n % len(WORDS)]))

    def _fall_silent(self, device: Device, _: int = 0) -> None:
        device.ear = "quiet"
        device.reports.append(inp.SpeechEnded())

    def _end_turn(self, device: Device, _: int) -> None:
        device.in_turn = False
        device.reports.append(inp.TurnEnded(0, int(self.now * 1000)))

    def _by_hand(self, device: Device, n: int) -> None:
        if n % 32 == 29 and device.ear == "quiet" and not device.in_turn:
            device.in_turn = True
            device.reports.append(inp.TalkPressed(int(self.now * 1000), 400))
        elif n % 32 > 29:
            device.in_turn = False
            device.reports.append(inp.TurnDiscarded() if n % 2 else inp.TurnEnded(0, int(self.now * 1000)))

    def _recogniser(self, device: Device) -> list[Callable[[int], None]]:
        found: list[Callable[[int], None]] = []
        if device.judging:
            found.append(partial(self._judge, device))
        if device.untold:
            found.append(partial(self._transcribe, device))
        return found

    def _judge(self, device: Device, n: int) -> None:
        device.judging -= 1
        if n % 7:  # else it never answers
            device.reports.append(inp.SpeechJudged(WORDS[n % len(WORDS)]))

    def _transcribe(self, device: Device, n: int) -> None:
        item_id = device.untold.pop(0)
        if n % 11 == 1:
            device.reports.append(inp.TurnTranscriptionFailed(item_id, BROKEN))
        elif n % 11:  # else it never answers
            device.reports.append(inp.TurnTranscribed(item_id, WORDS[n % len(WORDS)]))

    def _mouth(self, device: Device) -> list[Callable[[int], None]]:
        if device.held or device.paused or not device.sounds:
            return []
        sound = device.sounds[0]
        if not sound.started:
            return [partial(self._begin, device, sound)]
        if sound.heard < len(sound.text):
            return [partial(self._play, device, sound)]
        return [partial(self._play_out, device, sound)] if sound.finished else []

    def _begin(self, device: Device, sound: Sound, _: int) -> None:
        sound.started = True
        device.reports.append(inp.PlayoutStarted(sound.generation))

    def _play(self, device: Device, sound: Sound, n: int) -> None:
        more = sound.text[sound.heard : sound.heard + 1 + n % 3]
        sound.heard += len(more)
        self.heard[sound.generation] += more
        if sound.leaving:
            self._let_go(device)

    def _play_out(self, device: Device, sound: Sound, _: int) -> None:
        device.sounds.remove(sound)
        device.reports.append(inp.PlayoutStopped(sound.generation, (sound.base + sound.heard) * 60))

    def _generate(self, generation: Generation, n: int) -> None:
        if n % 16 < 2:
            self.said.append(inp.GenerationBegan(generation) if n % 32 < 16 else inp.SoundBegan(generation))
            return
        if n % 16 < 13:
            self.said.append(inp.TextGenerated(generation, TOKENS[n % len(TOKENS)]))
            return
        if n % 64 == 14:
            self.said.append(inp.ToolCalled(generation, f"call {generation}", "clock", "{}"))
            return
        if n % 64 == 30:
            self.said.append(inp.ToolRan(generation, f"call {generation}", "clock", "{}", "Nine."))
            return
        self.models.discard(generation)
        ended = inp.GenerationFinished(generation) if n % 16 < 15 else inp.GenerationFailed(generation, BROKEN)
        self.said.append(ended)

    def _command(self, n: int) -> None:
        leg = [CHAT, *self.devices][n % (1 + len(self.devices))]
        if leg in self.devices and self.devices[leg].gone:
            leg = CHAT
        n //= 4
        if n % 2:
            return
        n //= 2
        items, answers = self.talk.path, list(self.laws.generations)
        known = list(self.talk.session.state.conversation.tree.nodes)
        how: inp.OnActive = HOW[n % 8]
        words = TYPED[n % 3] if n % 5 == 4 else None
        commands: list[inp.Input] = [inp.ResponseRequested(how, text_only=n % 9 == 8, words=words)] * 2
        wanted = Settings(on_active_voice=VOICED[n % len(VOICED)], context=Context(("whole", "summarise")[n % 2]))
        commands += [inp.ResponseRequested(aside=True), inp.ContextResetRequested(), inp.SettingsSubmitted(wanted)]
        commands += [inp.SteerRequested(TYPED[n % 3], None, ("now", "next_step")[n % 2])] * 2
        commands += [inp.SteerRequested(TYPED[n % 3], it) for it in answers[-1:]]
        waiting = tuple(it.item_id for it in self.talk.session.state.conversation.queue)
        commands += [inp.QueueReorderRequested(waiting[::-1])] * bool(waiting)
        commands += [inp.QueueEditRequested(it, TYPED[n % 3]) for it in waiting[:1]]
        commands += [inp.QueueWithdrawalRequested(it) for it in waiting[-1:]]
        commands += [inp.ItemSubmitted("user", TYPED[n % 3])] * 2
        commands += [
            inp.CancelRequested(own=n % 3 == 2),
            inp.OutputClearRequested(),
            inp.PauseRequested(),
            inp.ResumeRequested(),
        ]
        commands += [*[inp.FloorClaimRequested()] * 2, inp.FloorReleaseRequested()]
        commands += [inp.CancelRequested(it, strict=bool(n % 3)) for it in answers[-2:]]
        commands += [inp.ItemTruncationRequested(it, n) for it in items[-1:]]
        commands += [inp.ItemDeletionRequested(it) for it in items[n % 5 : n % 5 + 1]]
        commands += [inp.EditSubmitted(it, TYPED[n % 3], answer=n % 2 == 0) for it in items[n % 4 : n % 4 + 1]]
        commands += [inp.ResponseRequested(replaces=it) for it in items[-1 - n % 2 :][:1]]
        commands += [inp.BranchRequested(it) for it in known[n % 7 :][:1]]
        commands += [inp.ItemRedactionRequested(it) for it in items[n % 4 : n % 4 + 1]]
        self.tell(commands[n // 10 % len(commands)], leg)

    def _present(self, n: int) -> None:
        """A device tells of itself, or nothing gets through to it for a while."""
        moves: tuple[inp.Input, ...] = (inp.TypingStarted(), inp.TypingStopped(), inp.DeviceUnreachable())
        moves += (inp.MicrophoneMuted(n % 2 == 0), inp.ReactionSubmitted("!"), inp.PresenceUpdated(data={"n": n % 3}))
        for device in self.devices.values():
            if not device.gone:
                self.tell(moves[n % len(moves)], device.leg)
                if isinstance(moves[n % len(moves)], inp.DeviceUnreachable) and n % 5:
                    self.tell(inp.DeviceJoined(device.leg, "phone"), device.leg)
                return

    # --- the end ---

    def settle(self) -> None:
        """Nothing new happens, and what was begun comes to its end."""
        for _ in range(2000):
            move = next(self._closing(), None)
            if move is None:
                return
            move()
        raise AssertionError("the world does not come to rest")

    def _closing(self) -> Iterator[Callable[[], None]]:
        for device in self.devices.values():
            yield from self._closing_of(device)
        if self.said:
            yield self._hear_model
        for generation in self.models:
            yield partial(self._generate, generation, 13)
        if self.talk.session.next_deadline() is not None:
            yield partial(self._wait, 15)

    def _closing_of(self, device: Device) -> Iterator[Callable[[], None]]:
        if device.reports:
            yield partial(self._report, device)
        if device.gone:
            return
        if device.ear != "quiet":
            yield partial(self._dismiss if device.ear == "suspected" else self._fall_silent, device)
        if device.judging:
            yield partial(self._judge, device, 1)
        if device.in_turn:
            yield partial(self._end_turn, device, 1)
        if device.untold:
            yield partial(self._transcribe, device, 5)
        for move in self._mouth(device):
            yield partial(move, 5)

    def verdict(self) -> None:
        """The promises that hold once the world has come to rest."""
        self.laws.at_the_end()
        moment = self.talk.session.state.moment
        assert self.talk.session.state.conversation.responses == {}
        assert (moment.cuts, moment.pending, moment.transcribing) == ({}, None, {})
        assert moment.hushed or not self.talk.session.state.conversation.queue, "a turn waits for ever"
        assert not any(it.held or it.paused for it in self.devices.values()), "a loudspeaker stays paused"
        self._what_was_heard_is_kept()
        assert not self.hanging, "somebody waits for an answer"

    def _what_was_heard_is_kept(self) -> None:
        claimed = {it.input.item_id for it in self.talk.told if isinstance(it.input, inp.ItemTruncationRequested)}
        for fact in self.talk.log:
            if isinstance(fact, ev.ItemTruncated | ev.ItemRemoved):
                spoken = self.spoken_as.get(fact.item_id)
                heard = self.heard.get(spoken, "") if spoken is not None else ""
                if isinstance(fact, ev.ItemTruncated):  # a device may say that it played less
                    assert fact.text == heard or (fact.item_id in claimed and heard.startswith(fact.text))
                assert not isinstance(fact, ev.ItemRemoved) or fact.reason != "unheard" or heard == ""


def _is_command(told: Told) -> bool:
    return isinstance(
        told.input,
        inp.ResponseRequested
        | inp.SteerRequested
        | inp.SettingsSubmitted
        | inp.QueueWithdrawalRequested
        | inp.CancelRequested
        | inp.OutputClearRequested
        | inp.PauseRequested
        | inp.ResumeRequested
        | inp.ItemTruncationRequested
        | inp.ItemDeletionRequested
        | inp.EditSubmitted
        | inp.BranchRequested
        | inp.ItemRedactionRequested
        | inp.TurnDiscarded,
    )
