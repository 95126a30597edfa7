"""Devices of one session that may stand in one room: each microphone knows what every loudspeaker plays."""

import numpy as np

from gateway.agents.scripted import ScriptedAgent
from gateway.transports.room import MAX_FRAMES, Room
from media.echo import Heard, NoDefence
from media.frames import VOICE_FRAME, Pcm
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.wire import line, update
from tests.virtual_time import run


def frame(level: int) -> Pcm:
    return np.full(VOICE_FRAME, level, np.int16)


def test_each_hears_what_the_others_play_and_what_it_plays_itself() -> None:
    room = Room()
    one, two, three = room.enter(), room.enter(), room.enter()
    assert one.mix(frame(5)) is not None
    for other in (two, three):
        heard = other.mix(None)
        assert heard is not None
        assert (heard == 5).all()
        assert other.mix(None) is None
    assert one.mix(None) is None


def test_two_loudspeakers_at_once_add_up() -> None:
    room = Room()
    one, two = room.enter(), room.enter()
    one.mix(frame(30_000))
    heard = two.mix(frame(10_000))
    assert heard is not None
    assert (heard == 32_767).all()


def test_who_has_left_neither_hears_nor_is_heard() -> None:
    room = Room()
    one, two = room.enter(), room.enter()
    one.leave()
    one.leave()
    one.mix(frame(5))
    assert two.mix(None) is None


def test_what_is_sent_far_ahead_is_bounded() -> None:
    room = Room()
    one, two = room.enter(), room.enter()
    for _ in range(2 * MAX_FRAMES):
        one.mix(frame(5))
    assert sum(two.mix(None) is not None for _ in range(2 * MAX_FRAMES)) == MAX_FRAMES


class Listening(NoDefence):
    """Counts the frames of sound that it was told may come back."""

    def __init__(self) -> None:
        self.sound = 0

    def reference(self, frame: Pcm | None) -> None:
        self.sound += frame is not None

    def hear(self, pcm: Pcm) -> Heard:
        return Heard(pcm, pcm)


def test_every_detector_of_a_session_is_told_what_any_device_plays() -> None:
    async def main() -> None:
        made: list[Listening] = []

        def new_echo() -> Listening:
            made.append(Listening())
            return made[-1]

        async with line(ScriptedAgent("one two three four five"), hears=()) as at:
            at.engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel, new_echo=new_echo)
            actor, elsewhere = await at.open(), await at.open()
            speaker = await at.connect(actor, extended=True)
            listener = await at.connect(actor, extended=True)
            stranger = await at.connect(elsewhere, extended=True)
            for client in (speaker, listener, stranger):
                await client.send("session.update", **update(output_modalities=["audio"]))
            await speaker.ask("count")
            await speaker.get("output_audio_buffer.stopped")
            assert [it.sound for it in made] == [50, 50, 0]
            for client in (speaker, listener, stranger):
                await client.leave()

    run(main())
