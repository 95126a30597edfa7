"""Many that come back at once are spread; few are not kept waiting."""

from hypothesis import given, strategies as st

from gateway.agents.scripted import ScriptedAgent
from gateway.transports.storm import CALM, LONGEST_S, RATE, SHORTEST_S, Storm
from tests.transports.wire import line
from tests.virtual_time import run


def test_few_are_not_kept_waiting() -> None:
    storm = Storm()
    assert [storm.resumed(0.0) for _ in range(int(CALM))] == [0] * int(CALM)
    assert storm.resumed(0.0) > 0


def test_a_rate_that_is_taken_is_no_storm() -> None:
    storm = Storm()
    assert {storm.resumed(number / RATE) for number in range(10_000)} == {0}


def test_a_storm_passes() -> None:
    storm = Storm()
    for _ in range(1000):
        storm.resumed(10.0)
    assert storm.backlog == 1000
    assert storm.resumed(10.0 + 1000 / RATE) == 0


def test_a_thousand_at_once_come_back_no_faster_than_is_taken() -> None:
    storm = Storm()
    waits = sorted(storm.leaving(1000) for _ in range(1000))
    assert waits[-1] <= 1000 / RATE * 1000
    for second in range(round(1000 / RATE)):
        together = [wait for wait in waits if second * 1000 <= wait < (second + 1) * 1000]
        assert 0.95 * RATE <= len(together) <= 1.05 * RATE


@given(st.lists(st.floats(0, 5), max_size=200), st.integers(0, 10**6))
def test_nobody_waits_for_ever(pauses: list[float], clients: int) -> None:
    storm, now = Storm(), 0.0
    for pause in pauses:
        now += pause
        assert 0 <= storm.resumed(now) <= LONGEST_S * 1000
    assert 0 <= storm.leaving(clients) <= max(SHORTEST_S, min(LONGEST_S, clients / RATE)) * 1000


def test_who_resumes_in_a_storm_is_told_when_to_come_back_the_next_time() -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            actor = await at.open()
            told = []
            for _ in range(100):
                client = await at.connect(actor, extended=True, resume=(actor.epoch, 1))
                told.append((await client.get("session.resumed")).get("retry_after_ms", 0))
                await client.leave()
            calm = int(CALM)
            assert told[:calm] == [0] * calm
            later = told[calm:]
            assert all(0 < wait <= 100 / RATE * 1000 for wait in later)
            assert len(set(later)) > 0.8 * len(later)

    run(main())
