"""Who is here, on what device, doing what: told live, stored nowhere.

A member is a device of a user, with as many connections as it likes. It leaves when the last of them says goodbye, or
some seconds after the last one was lost, so that a short drop is no leaving. What devices and the agent do is read off
the state after each input. Changes are told in batches: the first at once, the next not before ``presence_every``, so
that a hundred devices that reconnect together cost a few events, and not one for each pair of them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import LegId
from gateway.core.members import DOING, AgentState, Doing, Member, MemberId, Presence, member_id, occupancy
from gateway.core.state import Hearing, Voice
from gateway.core.step import Step


def take(step: Step, input: inp.OfPresence) -> None:
    """A device comes, goes or tells of itself."""
    match input:
        case inp.DeviceJoined():
            _joined(step, input)
        case inp.DeviceUnreachable():
            _disconnected(step, goodbye=False)
        case inp.MicrophoneMuted(muted):
            known = step.moment.presence.muted
            known.add(step.stamp.leg) if muted else known.discard(step.stamp.leg)
        case _:
            member = step.moment.presence.of(step.stamp.leg)
            if member is None:
                step.reject("presence_not_joined", "Only a device that is connected can be present.")
            else:
                _by_member(step, member, input)


def _by_member(
    step: Step,
    member: Member,
    input: inp.PresenceUpdated | inp.TypingStarted | inp.TypingStopped | inp.ReactionSubmitted,
) -> None:
    presence = step.moment.presence
    match input:
        case inp.PresenceUpdated():
            _updated(step, member, input)
        case inp.TypingStarted():
            presence.typing[member.member_id] = step.stamp.mono + step.policy.typing_for
        case inp.TypingStopped():
            presence.typing.pop(member.member_id, None)
        case inp.ReactionSubmitted(reaction):
            _clap(step, member, reaction)


def _clap(step: Step, member: Member, reaction: str) -> None:
    clapped, policy = step.moment.presence.clapped, step.policy
    due = max(step.stamp.mono, clapped.get(member.member_id, 0.0)) + policy.reaction_every
    if due > step.stamp.mono + policy.reactions_at_once * policy.reaction_every + 1e-9:
        step.reject("rate_limited", "Too many reactions; slow down.")
        return
    clapped[member.member_id] = due
    step.signal(ev.ReactionSent(member.member_id, member.device, reaction))


def _joined(step: Step, input: inp.DeviceJoined) -> None:
    """What is known of a device that has been here all the time stands, whatever its new connection calls it."""
    presence, stamp = step.moment.presence, step.stamp
    known = member_id(input.user, stamp.device)
    presence.legs[stamp.leg] = known
    presence.lost.pop(known, None)
    presence.dropped.pop(known, None)
    if known not in presence.members:
        presence.put(Member(known, stamp.device, input.name, input.kind, input.user, stamp.wall))


def _updated(step: Step, member: Member, input: inp.PresenceUpdated) -> None:
    limit = step.policy.presence_data_bytes
    if input.data is not None and _size(input.data) > limit:
        step.reject("presence_data_too_large", f"The data of a device may have {limit} bytes of JSON at most.", "data")
        return
    name = member.name if input.name is None else input.name
    kind = member.kind if input.kind is None else input.kind
    data = member.data if input.data is None else input.data or None
    step.moment.presence.put(replace(member, name=name, kind=kind, data=data))


def _size(data: Mapping[str, object]) -> int:
    return len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def left(step: Step, *, goodbye: bool) -> None:
    """A connection is gone; without a *goodbye* its device may come back before anybody is told."""
    step.moment.presence.muted.discard(step.stamp.leg)
    _disconnected(step, goodbye=goodbye)


def _disconnected(step: Step, *, goodbye: bool) -> None:
    presence = step.moment.presence
    known = presence.legs.pop(step.stamp.leg, None)
    if known is None:
        return
    if not goodbye:
        presence.dropped[known] = step.stamp.mono + step.policy.presence_grace
    if known in presence.legs.values():
        return
    presence.typing.pop(known, None)
    back_by = presence.dropped.pop(known, 0.0)
    if back_by > step.stamp.mono:  # a page that is reloaded hangs up, and only its socket is cut
        presence.lost[known] = back_by
    else:
        _gone(presence, known)


def _gone(presence: Presence, known: MemberId) -> None:
    presence.lost.pop(known, None)
    presence.clapped.pop(known, None)
    del presence.members[known]
    presence.changed[known] = None


def deadline(step: Step) -> None:
    """Who has not come back is gone, and who has not said again that they type does not."""
    presence, now = step.moment.presence, step.stamp.mono
    for known in [known for known, due in presence.lost.items() if now >= due]:
        _gone(presence, known)
    for known in [known for known, due in presence.typing.items() if now >= due]:
        del presence.typing[known]


# --- what everybody does ---


def settle(step: Step, input: inp.Input) -> None:
    """See what has changed, and tell it unless something was told a moment ago."""
    presence = step.moment.presence
    if not (presence.members or presence.told or presence.changed):
        return
    if isinstance(input, inp.ItemSubmitted) and (sender := presence.of(step.stamp.leg)) is not None:
        presence.typing.pop(sender.member_id, None)  # what was being typed is there
    presence.agent = _agent(step)
    if not isinstance(input, inp.TextGenerated):  # hundreds a second, of which no device does anything else
        _look(step, presence)
    if presence.pending and step.stamp.mono >= presence.next_batch:
        _tell(step, presence)


def _look(step: Step, presence: Presence) -> None:
    if step.moment.paused_until is None:
        presence.holder = None
    elif presence.holder is None:
        presence.holder = presence.legs.get(step.stamp.leg)
    does: dict[MemberId, set[Doing]] = {known: {"typing"} for known in presence.typing}
    sounding = {response.leg for response in step.state.alive() if response.sounding}
    for leg, voice in step.moment.voices.items():
        known = presence.legs.get(leg)
        if known is not None:
            does.setdefault(known, set()).update(_by_voice(voice, muted=leg in presence.muted))
            if leg in sounding:
                does[known].add("playing")
    if presence.holder in presence.members:
        does.setdefault(presence.holder, set()).add("holding")
    for known in presence.busy | does.keys():
        if (member := presence.members.get(known)) is not None:
            doing = tuple(it for it in DOING if it in does.get(known, ()))
            if doing != member.doing:
                presence.put(replace(member, doing=doing))
    presence.busy = set(does)


def _by_voice(voice: Voice, *, muted: bool) -> set[Doing]:
    does: set[Doing] = {"muted" if muted else "listening"}
    if voice.turn is not None or voice.hearing in (Hearing.CONFIRMED, Hearing.JUDGED):
        does.add("speaking")
    elif voice.hearing is Hearing.SUSPECTED:
        does.add("suspected")
    return does


def _agent(step: Step) -> AgentState:
    alive, moment = step.state.alive(), step.moment
    sounding = [response.leg for response in alive if response.sounding]
    if sounding:
        held = moment.paused_until is not None or all(_held(step, leg) for leg in sounding)
        return "waiting" if held else "speaking"
    if any(response.generating and response.leg is None and response.item_id is not None for response in alive):
        return "writing"
    if alive:
        return "thinking"
    spoken_to = any(voice.turn is not None for voice in moment.voices.values())
    return "waiting" if spoken_to or moment.transcribing or moment.pending is not None else "idle"


def _held(step: Step, leg: LegId | None) -> bool:
    voice = step.moment.voices.get(leg) if leg is not None else None
    return voice is not None and voice.interrupts and voice.hearing is not Hearing.QUIET


def _tell(step: Step, presence: Presence) -> None:
    """Tell what is otherwise than clients know; what has come and gone meanwhile nobody needs to hear of."""
    joined: list[Member] = []
    changed: list[Member] = []
    gone: list[MemberId] = []
    for known in presence.changed:
        member, told = presence.members.get(known), presence.told.get(known)
        if member is not None:
            presence.told[known] = member
            if told is None:
                joined.append(member)
            elif told != member:
                changed.append(member)
        elif told is not None:
            del presence.told[known]
            gone.append(known)
    presence.changed.clear()
    if joined or changed or gone or presence.agent != presence.told_agent:
        presence.told_agent = presence.agent
        presence.next_batch = step.stamp.mono + step.policy.presence_every
        counts = occupancy(tuple(presence.members.values()))
        step.signal(ev.PresenceChanged(tuple(joined), tuple(changed), tuple(gone), presence.agent, counts))
