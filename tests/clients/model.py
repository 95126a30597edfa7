"""The model behind the gateway: chat completions by a few rules, the same for every client."""

from typing import Any, Final

from gateway.agents.context import GO_ON
from tests.agents.fake_openai import Answer, Request

TOKENS_PER_S: Final = 15.0
"""Faster than speech, and slow enough that a story is still being made when it is interrupted."""

STORY: Final = " ".join(
    f"On day {number} the old lighthouse keeper climbed the long stairs and lit the lamp again."
    for number in ("one", "two", "three", "four", "five", "six")
)


def answer(request: Request) -> Answer:
    """A long story for who asks for one, the function for who asks about the weather, else a short sentence."""
    last: dict[str, Any] = request.body["messages"][-1]
    if last["role"] == "tool":
        return _said(f"They say: {last['content']}.")
    words = str(last["content"]).rpartition("\n")[2]  # what stands before is a note, or was never answered
    if GO_ON in words:  # a client that puts in what is typed as the system's, as Pipecat does
        words = str(request.body["messages"][0]["content"]).rpartition("\n\n")[2]
    if "weather" in words and request.body.get("tools"):
        return _called(f"call_{request.number}")
    return _said(STORY if "story" in words.lower() else "This is a short answer.")


def _said(text: str) -> Answer:
    return Answer(tokens=tuple(f"{word} " for word in text.split()), delay_s=1 / TOKENS_PER_S)


def _called(call: str) -> Answer:
    """The function, whose arguments come in two pieces."""
    begun = {"index": 0, "id": call, "function": {"name": "get_weather", "arguments": '{"city":'}}
    rest = {"index": 0, "function": {"arguments": '"Paris"}'}}
    return Answer(tokens=(), deltas=[{"tool_calls": [each]} for each in (begun, rest)], finish_reason="tool_calls")
