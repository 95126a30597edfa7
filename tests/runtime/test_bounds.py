"""An answer stays within its bounds, whoever gives it."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gateway.core.values import Usage
from gateway.errors import AgentError
from gateway.runtime.bounds import Bounds, bounded
from gateway.runtime.ports import Ended, Piece, Reasoning, ToolCall
from tests.virtual_time import run

FEW = Bounds(seconds=10.0, characters=10)
CUT = Ended("max_output_tokens")


class Answer:
    """Pieces, each after so many seconds; remembers whether it was let go of."""

    def __init__(self, *pieces: Piece, every_s: float = 0.0, endless: bool = False) -> None:
        self.pieces, self.every_s, self.endless = pieces, every_s, endless
        self.closed = False

    async def stream(self) -> AsyncGenerator[Piece, None]:
        try:
            while True:
                for piece in self.pieces:
                    await asyncio.sleep(self.every_s)
                    yield piece
                if not self.endless:
                    return
        finally:
            self.closed = True


def got(answer: Answer, bounds: Bounds = FEW) -> list[Piece]:
    async def main() -> list[Piece]:
        pieces = [piece async for piece in bounded(answer.stream(), bounds)]
        assert answer.closed
        return pieces

    return run(main())


def test_what_stays_within_its_bounds_passes_as_it_is() -> None:
    pieces: list[Piece] = [
        "12345",
        Usage(output_tokens=2),
        ToolCall("c", "f", "{}"),
        Reasoning("123"),
        Ended("content_filter"),
    ]
    assert got(Answer(*pieces)) == pieces
    assert got(Answer("1234567890")) == ["1234567890"]


@pytest.mark.parametrize("token", ["abc", "a", "abcdefghijkl" * 100_000])
def test_endless_output_is_cut_at_its_bound_and_ends_as_incomplete(token: str) -> None:
    *text, end = got(Answer(token, endless=True))
    assert "".join(map(str, text)) == (token * 10)[:10]
    assert end == CUT


def test_endless_thoughts_end_too() -> None:
    assert got(Answer(Reasoning("hmmm"), endless=True)) == [Reasoning("hmmm"), Reasoning("hmmm"), CUT]


def test_a_call_cannot_be_cut() -> None:
    with pytest.raises(AgentError) as caught:
        got(Answer(ToolCall("c", "f", "x" * 11)))
    assert caught.value.code == "model_failed"


def test_a_trickle_ends_in_time_and_keeps_what_came() -> None:
    assert got(Answer("a", every_s=4.0, endless=True)) == ["a", "a", CUT]


def test_an_answer_that_never_begins_is_a_model_that_did_not_answer() -> None:
    for silent in (Answer("a", every_s=11.0), Answer(Usage(), every_s=4.0, endless=True)):
        with pytest.raises(AgentError) as caught:
            got(silent)
        assert caught.value.code == "model_timeout"


def test_a_timeout_of_the_agent_s_own_is_its_own() -> None:
    async def impatient() -> AsyncGenerator[Piece, None]:
        yield "a"
        raise TimeoutError("mine")

    async def main() -> None:
        with pytest.raises(TimeoutError, match="mine"):
            [piece async for piece in bounded(impatient(), FEW)]

    run(main())
