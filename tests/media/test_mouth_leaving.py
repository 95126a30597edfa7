"""The mouth of a voice leg: an answer that is given away, and comes back."""

import asyncio

from media.speaking.mouth import Mouth
from media.speaking.playout import Left, Started, Stopped
from tests.media.engines import ToneSynthesizer
from tests.virtual_time import now, run, settle


def test_an_answer_that_comes_back_at_once_is_spoken_by_a_new_task() -> None:
    """The end of the old one must not take the new one with it."""

    async def main() -> None:
        engine = ToneSynthesizer()
        mouth = Mouth(engine, now, client_buffer_ms=0)
        mouth.begin(1, "resp", "item")
        mouth.speak(1, "one two. ")
        for _ in range(5):
            await asyncio.sleep(0.02)
            mouth.pull()
        mouth.leave(1, 0, recalled=False)
        assert [type(edge) for edge in mouth.drain()] == [Started, Left]
        assert not mouth.busy
        mouth.begin(1, "resp", "item", 3, 100)
        await settle()  # the old task ends
        mouth.speak(1, " two. ")
        mouth.finish(1)
        for _ in range(20):
            await asyncio.sleep(0.02)
            mouth.pull()
        started, stopped = mouth.drain()
        assert isinstance(started, Started)
        assert isinstance(stopped, Stopped)
        assert (stopped.heard_chars, stopped.heard_ms) == (9, 300)
        assert engine.spoken[-1] == "two."
        await mouth.aclose()

    run(main())
