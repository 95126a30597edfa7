"""What holds for every session, whatever happens to it: checked after each input, and at the end."""

from collections import Counter
from itertools import pairwise
from typing import get_args

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId, ResponseId
from gateway.core.members import Member, MemberId
from gateway.core.responses import Playout
from gateway.core.session import Session
from gateway.core.state import Conversation, Hearing, Pending, evolve
from tests.core.script import Talk, Told

IN_DOUBT = (Hearing.CONFIRMED, Hearing.JUDGED)


NUMBERED = ev.ResponseStarted | ev.ResponseSteered | ev.AsideStarted

Part = tuple[ResponseId, int]
"""One item of an answer that was steered so many times."""


class Laws:
    """Watches one talk."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.held: dict[LegId, bool] = {}
        """Legs whose reflex holds the loudspeaker, as the leg itself sees it."""

        self.cut: set[Generation] = set()
        """Responses that were told to stop, or have ended otherwise than by themselves."""

        self.generations: dict[ResponseId, Generation] = {}
        self.asides: dict[ResponseId, str] = {}
        """What clients have read of the answers beside the conversation that are given."""

        self.given = 0
        """How many generations were given out."""

        self.texts: dict[ItemId, str] = {}
        """What clients have read of each answer."""

        self.waited: Pending | None = None
        """The answer that waited before the last input."""

        self.company: dict[MemberId, Member] = {}
        """Who is here, as clients know it."""
        self.fold = Conversation()
        """What the facts told so far."""

    def after(self, told: Told) -> None:
        """Everything that can be told from one input, its consequences, and the state it left."""
        self._effects(told)
        self._follow_reflex(told)
        self._answers(told)
        self._company(told)
        self._state()
        self.waited = self.talk.session.state.moment.pending
        if not told.outcome.accepted or told.outcome.duplicate:
            facts = [fact for fact in told.outcome.facts if not isinstance(fact, ev.CommandApplied)]
            assert (facts, told.outcome.stopping, told.outcome.starting) == ([], (), ())

    def _effects(self, told: Told) -> None:
        outcome, moment = told.outcome, self.talk.session.state.moment
        assert all(isinstance(effect, get_args(fx.StoppingEffect)) for effect in outcome.stopping)
        assert all(isinstance(effect, get_args(fx.StartingEffect)) for effect in outcome.starting)
        assert [event for event in outcome.events if isinstance(event, get_args(ev.Fact))] == list(outcome.facts)
        beside = {it.generation for it in outcome.facts if isinstance(it, ev.AsideStarted)}
        begun = [it for it in outcome.starting if isinstance(it, fx.Generate | fx.Recite)]
        if any(effect.generation not in beside for effect in begun):
            assert not moment.cuts, "an answer began before a cut had said where it fell"
            assert not self.talk.session.state.waits_for_words(), "an answer began before a turn had its words"
            if isinstance(told.input, inp.TurnTranscribed):
                assert self._may_begin(told.leg), "an answer began into a voice"

    def _may_begin(self, leg: LegId) -> bool:
        """Did a client ask for the answer, or has whoever wanted it by voice fallen silent?"""
        waited = self.waited
        wanted_by = {leg, waited.stamp.leg} if waited is not None else {leg}
        voices = self.talk.session.state.moment.voices
        quiet = [it for it in wanted_by if it not in voices or voices[it].turn is None]
        return bool(quiet) or (waited is not None and not waited.spoken)

    def _follow_reflex(self, told: Told) -> None:
        voices = self.talk.session.state.moment.voices
        match told.input:
            case inp.SpeechSuspected():
                self.held[told.leg] = told.leg in voices
            case inp.SpeechDismissed() | inp.LegLeft():
                self.held[told.leg] = False
        for effect in told.outcome.stopping:
            if isinstance(effect, fx.ReleasePlayout | fx.FlushPlayout):
                self.held[effect.leg] = False
        for leg, voice in voices.items():
            assert voice.hearing is not Hearing.QUIET or not self.held.get(leg, False), "a leg stays paused"

    def _answers(self, told: Told) -> None:
        for stopping in told.outcome.stopping:
            if isinstance(stopping, fx.CancelGeneration | fx.FlushPlayout):
                self.cut.add(stopping.generation)
        for event in told.outcome.events:
            self._event(event)
            if isinstance(event, get_args(ev.Fact)):
                self._fold(event)
        for effect in told.outcome.starting:
            if isinstance(effect, fx.BeginSpeech | fx.Speak | fx.FinishSpeech):
                assert effect.generation not in self.cut, "a cut answer is spoken"

    def _event(self, event: ev.Event) -> None:
        match event:
            case ev.ResponseStarted():
                assert event.response_id not in self.generations
                self._next_generation(event)
            case ev.ResponseSteered():
                self._next_generation(event)
            case ev.AsideStarted() | ev.AsideAppended() | ev.AsideCalled() | ev.AsideEnded():
                self._aside(event)
            case ev.ItemAdded(kind="function_call") if event.response_id is not None:
                assert self.generations[event.response_id] not in self.cut, "a tool of a cut answer begins"
            case ev.ItemAdded(role="assistant") if event.response_id is not None:
                assert self.generations[event.response_id] not in self.cut, "a cut answer gets an item"
                self.texts[event.item_id] = ""
            case ev.TextAppended():
                assert self.generations[event.response_id] not in self.cut, "a cut answer grows"
                assert event.offset == len(self.texts[event.item_id])
                self.texts[event.item_id] += event.text
            case ev.ItemTruncated():
                assert event.text + event.unheard == self.texts[event.item_id]
                assert event.unheard, "nothing was cut off"
            case ev.ResponseEnded():
                assert event.status != "cancelled" or event.generation in self.cut
                if event.reason is not None:
                    self.cut.add(event.generation)
            case _:
                pass

    def _aside(self, event: ev.AsideStarted | ev.AsideAppended | ev.AsideCalled | ev.AsideEnded) -> None:
        """One beside the conversation grows, and ends once."""
        match event:
            case ev.AsideStarted(response_id, generation):
                self.given += 1
                assert generation == self.given
                self.asides[response_id] = ""
            case ev.AsideAppended(response_id):
                assert event.offset == len(self.asides[response_id])
                self.asides[response_id] += event.text
            case ev.AsideCalled(response_id):
                assert response_id in self.asides, "a tool of an answer that is over begins"
            case ev.AsideEnded(response_id):
                lost = event.failure is not None and event.failure.code == "node_lost"
                assert event.text == ("" if lost else self.asides[response_id])
                del self.asides[response_id]

    def _next_generation(self, event: ev.ResponseStarted | ev.ResponseSteered) -> None:
        self.given += 1
        assert event.generation == self.given
        self.generations[event.response_id] = event.generation

    def _company(self, told: Told) -> None:
        """Clients hear of everybody's coming and going once, in that order, and of no change that is none."""
        presence = self.talk.session.state.moment.presence
        for event in told.outcome.events:
            if isinstance(event, ev.PresenceChanged):
                assert not {it.member_id for it in event.joined} & self.company.keys(), "somebody joined twice"
                assert all(self.company[it.member_id] != it for it in event.changed), "a change that is none"
                for member in (*event.joined, *event.changed):
                    self.company[member.member_id] = member
                for gone in event.left:
                    del self.company[gone]
                assert event.occupancy.members == len(self.company)
        assert self.company == presence.told
        assert presence.pending or (self.company, presence.agent) == (presence.members, presence.told_agent)
        assert presence.members.keys() == set(presence.legs.values()) | presence.lost.keys()
        assert not presence.lost.keys() & set(presence.legs.values()), "somebody is here and lost"
        typing = {known for known, member in presence.members.items() if "typing" in member.doing}
        if told.outcome.accepted and not told.outcome.duplicate:
            assert typing == presence.typing.keys(), "typing is shown that never ends"
        if isinstance(told.input, inp.DeadlineReached):
            assert all(due > told.at for due in presence.deadlines()), "a deadline that was reached stands"

    def _fold(self, fact: ev.Fact) -> None:
        tree, before = self.fold.tree, self.fold.tree.path()
        if isinstance(fact, ev.BranchSelected):
            assert not self.fold.responses, "the path switched while an answer ran"
        evolve(self.fold, fact)
        if isinstance(fact, ev.BranchSelected):
            stays = len(before) - len(fact.left)
            assert [node.item_id for node in before[stays:]] == list(fact.left)
            assert [node.item_id for node in tree.path()[stays:]] == [it.item_id for it in fact.entered]
            assert before[:stays] == tree.path()[:stays]

    def _state(self) -> None:
        conversation, moment = self.talk.session.state.conversation, self.talk.session.state.moment
        doubts = [voice for voice in moment.voices.values() if voice.hearing is not Hearing.QUIET]
        announced = [voice for voice in moment.voices.values() if voice.turn is not None]
        moving = moment.handover.moves or moment.handover.kept_until is not None
        held = moment.paused_until is not None
        open = bool(doubts or announced or moment.transcribing or moment.cuts or held or moving)
        open = open or bool(moment.not_before) or any(due is not None for due in moment.steering.values())
        open = open or bool(moment.presence.lost or moment.presence.typing or moment.presence.pending)
        assert (self.talk.session.next_deadline() is not None) == open, "a deadline exists iff a state needs one"
        for voice in moment.voices.values():
            assert (voice.deadline is not None) == (voice.hearing is not Hearing.QUIET)
            assert (voice.turn_due is not None) == (voice.turn is not None)
            assert voice.turn is None or voice.hearing not in IN_DOUBT, "a turn was announced that is in doubt"
            assert voice.ended is None or voice.hearing is Hearing.JUDGED
            assert voice.next_onset_ms is None or voice.hearing is Hearing.JUDGED
        living = {response.generation for response in conversation.responses.values()}
        assert moment.cuts.keys() <= living, "a cut waits for an answer that is over"
        assert set(moment.texts) == {it.item_id for it in conversation.responses.values() if it.item_id is not None}
        if moment.paused_until is not None:
            assert any(response.mouth is not None for response in self.talk.session.state.alive()), "a pause of nothing"
        turns = {voice.turn for voice in moment.voices.values()} | moment.transcribing.keys()
        assert moment.over_answers.keys() <= turns
        if moment.pending is not None:
            asker = moment.voices.get(moment.pending.stamp.leg)
            goes_on = moment.pending.spoken and asker is not None and asker.turn is not None
            waits = moment.cuts or self.talk.session.state.waits_for_words() or goes_on or moment.switch
            assert waits, "an answer waits for nothing"
        assert moment.switch is None or moment.cuts or moment.transcribing, "a switch waits for nothing"
        self._tree()
        self._floor()
        self._queue()

    def _floor(self) -> None:
        state = self.talk.session.state
        floor, handover, voices = state.conversation.floor, state.moment.handover, state.moment.voices
        assert handover.moves.keys() <= {it.generation for it in state.alive()}, "an answer moves that is over"
        assert handover.kept_until is None or floor.leg is not None, "nobody's floor is kept"
        here = [leg for leg, voice in voices.items() if not voice.leaving]
        assert floor.leg is None or floor.leg in here or handover.kept_until is not None, "a floor is kept for ever"
        for response in state.alive():
            text = state.moment.texts.get(response.item_id, "") if response.item_id is not None else ""
            assert response.heard_chars <= len(text), "more was heard than was said"
            silenced = response.generation in handover.moves or response.generation in state.moment.cuts
            if response.mouth is not None and floor.leg in here and not silenced:
                assert response.leg == floor.leg, "an answer sounds where the floor is not"
            waits = response.left is not None
            assert not waits or handover.kept_until is not None, "an answer waits for nobody"

    def _queue(self) -> None:
        """What waits, waits for something, and has its words."""
        state, moment = self.talk.session.state, self.talk.session.state.moment
        waiting = [it.item_id for it in state.conversation.queue]
        assert len(set(waiting)) == len(waiting) <= self.talk.session.policy.queue_length
        assert moment.waiting_texts.keys() == set(waiting)
        assert moment.not_before.keys() | moment.wishes.keys() <= set(waiting)
        abouts = [it.about for it in state.conversation.queue if it.about is not None]
        assert all(state.conversation.tree.active(it) for it in abouts), "what waits would answer another branch"
        assert not set(waiting) & state.conversation.tree.nodes.keys(), "a turn that waits stands in the conversation"
        said = any(voice.turn is not None or voice.deadline is not None for voice in moment.voices.values())
        busy = state.alive() or moment.cuts or moment.pending or moment.switch or state.waits_for_words() or said
        held = moment.hushed or (waiting and waiting[0] in moment.not_before)
        assert busy or held or not waiting, "a turn waits for nothing"
        assert state.conversation.steers.keys() == moment.steers.keys()
        generating = {it.response_id for it in state.conversation.responses.values() if it.generating}
        assert moment.steering.keys() <= generating, "a steered answer is over"

    def _tree(self) -> None:
        tree = self.talk.session.state.conversation.tree
        for node in tree.nodes.values():
            way = tree.path_to(node.item_id)
            assert way[0].parent is None, "an item is lost"
            assert tree.children[node.parent].count(node.item_id) == 1
        assert sum(map(len, tree.children.values())) == len(tree.nodes)
        assert tree.forks == {parent for parent, followers in tree.children.items() if len(followers) > 1}
        assert all(tree.nodes[it].parent == parent for parent, it in tree.chosen.items())
        path = tree.path()
        assert all(tree.follower(node.parent) == node.item_id for node in path), "the path is not the chosen one"
        assert tree.tip is None or tree.follower(tree.tip) is None
        told = self.talk.all(ev.SiblingsChanged)
        assert tree.choices() == (dict(told[-1].choices) if told else {}), "clients were told of other siblings"

    def at_the_end(self) -> None:
        """What can be told only of the whole."""
        log = self.talk.log
        assert Session.replay(log).state.conversation == self.talk.session.state.conversation
        generations = [fact.generation for fact in log if isinstance(fact, NUMBERED)]
        assert all(later == earlier + 1 for earlier, later in pairwise(generations))
        ended = Counter(fact.response_id for fact in log if isinstance(fact, ev.ResponseEnded))
        assert ended == Counter(self.generations.keys()), "an answer did not end exactly once"
        assert not self.asides, "an answer beside the conversation did not end"
        self._nothing_of_a_text_is_lost(log)
        self._playouts(log)
        self._ends(log)
        accepted = Counter(fact.item_id for fact in log if isinstance(fact, ev.SteerAccepted))
        told = Counter(fact.item_id for fact in log if isinstance(fact, ev.SteerConsumed | ev.SteerFailed))
        waits = {it.item_id for it in self.talk.session.state.conversation.queue}
        assert told <= accepted
        assert (accepted - told).keys() <= waits, "a steer has no receipt"
        queued = Counter(fact.item_id for fact in log if isinstance(fact, ev.TurnQueued))
        left = Counter(fact.item_id for fact in log if isinstance(fact, ev.QueueTaken | ev.QueueWithdrawn))
        assert left + Counter(it.item_id for it in self.talk.session.state.conversation.queue) == queued
        self._redactions(log)
        announced = [event.item_id for event in self.talk.events if isinstance(event, ev.SpeechStarted)]
        stopped = [event.item_id for event in self.talk.events if isinstance(event, ev.SpeechStopped)]
        assert len(set(announced)) == len(announced)
        assert Counter(stopped) <= Counter(announced)

    def _redactions(self, log: list[ev.Fact]) -> None:
        gone: set[ItemId] = set()
        for fact in log:
            if isinstance(fact, ev.ItemRedacted):
                gone.add(fact.item_id)
            elif isinstance(fact, ev.ItemTranscribed | ev.ItemCompleted | ev.ItemTruncated):
                assert fact.item_id not in gone, "words come back that were removed"

    def _nothing_of_a_text_is_lost(self, log: list[ev.Fact]) -> None:
        """What was heard and what was not make up the answer, wherever it moved."""
        whole = {fact.item_id: fact.text for fact in log if isinstance(fact, ev.ItemCompleted)}
        for fact in log:
            if isinstance(fact, ev.ItemTruncated) and fact.item_id in whole:
                assert fact.text + fact.unheard == whole[fact.item_id], "a word is lost, or doubled"

    def _playouts(self, log: list[ev.Fact]) -> None:
        """Each part of an answer begins and ends in turn, on one leg after another; the last end of each is final."""
        part: Counter[ResponseId] = Counter()
        sounding: set[Part] = set()
        began: set[Part] = set()
        over: list[Part] = []
        spoken: set[Part] = set()
        heard: Counter[Part] = Counter()
        for fact in log:
            if not isinstance(fact, ev.ResponseStarted | ev.ResponseSteered | Playout):
                continue
            part[fact.response_id] += isinstance(fact, ev.ResponseSteered)
            this = (fact.response_id, part[fact.response_id])
            match fact:
                case ev.ResponseStarted() | ev.ResponseSteered():
                    spoken |= {this} if fact.leg is not None else set()
                case ev.PlayoutStarted():
                    assert this not in sounding
                    assert this not in over
                    sounding.add(this)
                    began.add(this)
                case ev.PlayoutMoved():
                    assert this not in over
                    sounding.discard(this)
                    assert (fact.heard_chars or heard[this]) >= heard[this], "it steps back"
                    heard[this] = fact.heard_chars or heard[this]
                case _:
                    sounding.discard(this)
                    over.append(this)
        assert len(over) == len(set(over))
        assert not sounding
        assert began <= set(over) <= spoken

    def _ends(self, log: list[ev.Fact]) -> None:
        """Sound outlives generation, and the floor is counted without a gap."""
        ended = {fact.response_id: place for place, fact in enumerate(log) if isinstance(fact, ev.ResponseEnded)}
        for place, fact in enumerate(log):
            assert not isinstance(fact, ev.PlayoutStopped) or ended[fact.response_id] < place
        changes = [fact.generation for fact in log if isinstance(fact, ev.FloorChanged)]
        assert changes == list(range(1, len(changes) + 1))
