"""The session that every client in Python holds: all cases but ``resume``, in one conversation."""

import asyncio
from typing import Any, Final, Protocol

from tests.clients.drivers.kit import Event, Heard, Microphone, Stage, case, ensure

WEATHER: Final[dict[str, Any]] = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
"""The function of the client, as the protocol describes it."""

FORECAST: Final = "rain with some hail"
"""What the function gives."""

LISTENED_S: Final = 1.6
"""How long the story is listened to before it is interrupted."""

SILENT_AFTER_S: Final = 0.2
"""From the end of a cut answer until nothing of it may come any more."""


class Client(Protocol):
    """A client that is connected, and what it has told."""

    heard: Heard
    microphone: Microphone
    sound: int
    """Bytes of sound that the application has been given."""

    asked: list[Any]
    """With what its function was called."""

    sent: list[Event]
    """Truncations that it sent, if not more."""

    complaints: list[str]
    """What it complained of, other than by error events of the gateway."""

    ignores: frozenset[str]
    """Codes of errors that it takes for granted."""

    async def say(self, text: str) -> None:
        """Type this, and ask for an answer."""

    async def cancel(self) -> None:
        """Stop the answer."""

    def remembered(self, item: str) -> str | None:
        """The words of an answer in the client's own history; None where it keeps none."""


async def hold(client: Client, stage: Stage) -> str:
    """Go through the cases, and tell of each; the id of the answer that was cut."""
    heard = client.heard
    async with case("connect"):
        await heard.until("session.created")
        await heard.until("session.updated")
    async with case("text"):
        heard.here()
        await client.say("Good morning.")
        words = await answer(heard)
        ensure("short answer" in words, "the answer was another")
    async with case("function_call"):
        await _function(client)
    story = ""
    async with case("voice"):
        story = await _voice(client, stage)
    async with case("barge_in"):
        await _barge_in(client, stage, story)
    async with case("truncation"):
        _truncation(client, story)
    async with case("cancel"):
        await _cancel(client)
    async with case("no_errors") as notes:
        ignored = heard.errors and set(heard.errors) <= client.ignores
        ensure(ignored or not heard.errors, f"errors: {', '.join(heard.errors)}")
        ensure(not client.complaints, f"complaints: {'; '.join(client.complaints)}")
        if ignored:
            notes.append(f"but {', '.join(sorted(set(heard.errors)))}, which the client provokes and ignores")
    stage.keep(heard.events)
    return story


async def answer(heard: Heard) -> str:
    """The words of the next answer that has any, complete."""
    while True:
        done = await heard.until("response.done")
        ensure(done["response"]["status"] == "completed", f"an answer is {done['response']['status']}")
        parts = [part for item in done["response"]["output"] for part in item.get("content", [])]
        if words := "".join(part.get("transcript") or part.get("text") or "" for part in parts):
            return words


async def _function(client: Client) -> None:
    client.heard.here()
    await client.say("What is the weather in Paris?")
    called = await client.heard.until("response.function_call_arguments.done")
    ensure(called["name"] == "get_weather", "another function was called")
    words = await answer(client.heard)
    ensure(client.asked == [{"city": "Paris"}], f"the function was called with {client.asked}")
    ensure(FORECAST in words, "the answer knows nothing of the function's result")


async def _voice(client: Client, stage: Stage) -> str:
    """The id of the answer, which is a long one and goes on."""
    heard, before = client.heard, client.sound
    heard.here()
    client.microphone.say(stage.clip("ask_long_story"))
    await heard.until("input_audio_buffer.speech_started")
    committed = await heard.until("input_audio_buffer.committed")
    delta = await heard.until("response.output_audio.delta")
    await asyncio.sleep(LISTENED_S)
    ensure(client.sound > before, "the application was given no sound")
    said = heard.since(committed, "conversation.item.input_audio_transcription.completed")
    ensure(said and "story" in said[0]["transcript"], "what was said was not understood")
    item: str = delta["item_id"]
    return item


async def _barge_in(client: Client, stage: Stage, story: str) -> None:
    heard = client.heard
    ensure(story, "there was no answer to interrupt")
    client.microphone.say(stage.clip("no_something_else"))
    await heard.until("input_audio_buffer.speech_started")
    done = await heard.until("response.done")
    ended = done["response"]
    ensure(ended["status"] == "cancelled", f"the answer is {ended['status']}")
    ensure(ended["status_details"]["reason"] == "turn_detected", "it was cut for another reason")
    await asyncio.sleep(SILENT_AFTER_S)
    before = client.sound
    await heard.until("response.created")
    ensure(client.sound == before, "the application was given sound after the cut")
    await answer(heard)
    late = [event for event in heard.since(done, "response.output_audio.delta") if event["item_id"] == story]
    ensure(not late, f"{len(late)} pieces of sound came after the cut")


def _truncation(client: Client, story: str) -> None:
    events = client.heard.events
    asked = [event for event in client.sent if event["type"] == "conversation.item.truncate"]
    ensure([event for event in asked if event["item_id"] == story], "the client sent no truncation")
    told = [event for event in events if event["type"] == "conversation.item.truncated" and event["item_id"] == story]
    ensure(told, "no truncation was told")
    cuts = [event["heard_text"] for event in told if "heard_text" in event]
    ensure(cuts, "what was heard was not told")
    whole = "".join(
        event["delta"]
        for event in events
        if event["type"] == "response.output_audio_transcript.delta" and event["item_id"] == story
    )
    kept = cuts[-1].strip()
    ensure(kept and len(kept) < len(whole.strip()), "what was heard is nothing, or everything")
    ensure(whole.startswith(kept), "what was heard is no beginning of what was said")
    own = client.remembered(story)
    ensure(own is None or own.strip() == kept, f"the client's own history holds something else: {own}")


async def _cancel(client: Client) -> None:
    heard = client.heard
    heard.here()
    await client.say("Tell me a long story.")
    created = await heard.until("response.created")
    await heard.until("response.output_audio.delta", response_id=created["response"]["id"])
    await client.cancel()
    ended = (await heard.until("response.done"))["response"]
    ensure(ended["status"] == "cancelled", f"the answer is {ended['status']}")
    ensure(ended["status_details"]["reason"] == "client_cancelled", "it was stopped for another reason")
