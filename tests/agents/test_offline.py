"""The offline agent: what it understands, what it answers, and how it goes on after an interruption."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from gateway.agents.offline import OfflineAgent, local_now
from gateway.agents.offline_answers import answer
from gateway.agents.offline_hearing import Wish, understand
from gateway.agents.stories import STORIES, Story
from gateway.runtime.ports import Conversation, Message, Steered

NOW = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
SEA, MOUNTAINS = STORIES[0], STORIES[1]
LONG_STORY = Message("user", "tell me a long story about the sea")


def said(text: str, device: str = "") -> Message:
    return Message("user", text, device=device)


def reply(*messages: Message, session: str = "session") -> str:
    return answer(Conversation(session, "response", "", messages), NOW)


def told(*before: Message) -> Message:
    """The whole answer, heard to its end."""
    return Message("assistant", reply(*before))


def cut(words: int, *before: Message, generated: int | None = None) -> Message:
    """The answer, interrupted after *words*; *generated* words had been made by then."""
    whole = reply(*before).split()
    rest = whole[words : generated if generated is not None else words + 40]
    return Message("assistant", " ".join(whole[:words]), interrupted=True, unheard=" ".join(rest))


# On the right what pocketsphinx 5.1.1 made of tests/data/callers, and other things people say.
@pytest.mark.parametrize(
    ("wish", "heard"),
    [
        (Wish.STORY, "tell me a long story about the sea"),
        (Wish.STORY, "tell me along story"),
        (Wish.STORY, "Please tell me a long story!"),
        (Wish.OTHER, "now tell me about the mountains instead"),
        (Wish.OTHER, "no, stop, tell me something else"),
        (Wish.OTHER, "tell me another one"),
        (Wish.TIME, "what time is it"),
        (Wish.TIME, "What's the time?"),
        (Wish.TIME, "what time is ed"),
        (Wish.DATE, "what is the date today"),
        (Wish.COUNT, "around from one to fifty"),
        (Wish.COUNT, "count to ten"),
        (Wish.TELLS_NAME, "my name is anne and i live in berlin"),
        (Wish.TELLS_NAME, "Hello, my name's Peter"),
        (Wish.ASKS_NAME, "what is my name"),
        (Wish.ASKS_NAME, "one is my name"),
        (Wish.ASKS_NAME, "do you know what my name is"),
        (Wish.SHORTER, "make it shorter"),
        (Wish.SHORTER, "a good starter please"),
        (Wish.THANKS, "and gave that is all"),
        (Wish.THANKS, "thank you very much"),
        (Wish.CONTINUE, "go on"),
        (Wish.CONTINUE, "please continue"),
        (Wish.CONTINUE, "please contineu"),
        (Wish.REPEAT, "could you say that again"),
        (Wish.WHAT_I_SAID, "what did i say"),
        (Wish.WHAT_YOU_SAID, "what were you saying"),
        (Wish.WHAT_YOU_SAID, "why did you say"),
        (Wish.WHAT_WE_SAID, "what did we talk about"),
        (Wish.WHO, "are you a real person"),
        (Wish.HELP, "what can you do"),
        (Wish.HELP, "help"),
        (Wish.GREETING, "good morning"),
        (Wish.STOP, "wait stop"),
        (Wish.YES, "yes please"),
        (Wish.NO, "no not now"),
        (Wish.UNKNOWN, "i think that is a nice horse"),
        (Wish.UNKNOWN, "we still have on the western isle order"),
        (Wish.UNKNOWN, ""),
    ],
)
def test_a_wish_is_found_in_words_that_may_be_wrong(wish: Wish, heard: str) -> None:
    assert understand(heard).wish is wish


def test_it_says_what_it_is() -> None:
    assert "demo" in reply(said("who are you"))
    assert "no language model" in reply(said("are you a robot"))


def test_it_greets_when_nothing_was_said() -> None:
    assert reply().startswith("Hello")
    assert "say help" in reply(Message("system", "Be brief."))


def test_it_tells_the_time_and_the_date_of_the_clock_it_was_given() -> None:
    assert reply(said("what time is it")) == "It is two oh five in the afternoon."
    assert reply(said("what day is it today")) == "Today is Friday, 20 November 2026."


def test_its_own_clock_knows_its_zone() -> None:
    assert local_now().tzinfo is not None


def test_it_counts_as_far_as_it_was_asked_to() -> None:
    assert reply(said("count from five to seven")) == "Five, six, seven."


def test_it_remembers_a_name_told_at_any_time() -> None:
    history = (said("my name is anne and i live in berlin"), *[said("count to two"), told(said("count to two"))] * 60)
    assert reply(*history, said("what is my name")) == "Your name is Anne."
    assert reply(*history, said("my name is bob"), told(said("hi")), said("who am i")) == "Your name is Bob."


def test_it_asks_for_a_name_it_was_not_told() -> None:
    assert reply(said("what is my name")).startswith("I do not know your name")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.subject)
def test_a_story_lasts_longer_than_a_minute(story: Story) -> None:
    fast_words_per_minute = 220
    assert len(story.text.split()) > fast_words_per_minute
    assert story.text.count(".") > 12
    assert story.text.count(",") > 12


def test_a_story_is_about_what_was_asked_for() -> None:
    assert SEA.text in reply(said("tell me a long story about the sea"))
    assert MOUNTAINS.text in reply(said("the mountains please"))


def test_a_story_it_does_not_know_is_not_told() -> None:
    answered = reply(said("tell me about quantum physics"))
    assert "quantum physics" in answered
    assert "the sea" in answered


def test_every_story_is_told_before_one_is_told_again() -> None:
    history: list[Message] = []
    for _ in STORIES:
        history.append(said("tell me another story"))
        history.append(told(*history))
    assert all(any(story.text in message.text for message in history) for story in STORIES)


def test_the_first_story_depends_on_the_session_alone() -> None:
    firsts = {reply(said("tell me a story"), session=f"session {number}") for number in range(40)}
    assert len(firsts) == len(STORIES)
    assert reply(said("tell me a story")) == reply(said("tell me a story"))


def test_something_else_after_an_interruption_is_another_story() -> None:
    answered = reply(LONG_STORY, cut(40, LONG_STORY), said("no, stop, tell me something else"))
    assert answered.startswith("All right, something else.")
    assert SEA.text not in answered
    assert any(story.text in answered for story in STORIES)


def test_another_topic_after_an_interruption_is_the_one_asked_for() -> None:
    answered = reply(LONG_STORY, cut(40, LONG_STORY), said("now tell me about the mountains instead"))
    assert answered.startswith("All right, something else.")
    assert MOUNTAINS.text in answered


def test_shorter_is_the_short_version_of_what_was_interrupted() -> None:
    answered = reply(LONG_STORY, cut(40, LONG_STORY), said("make it shorter"))
    assert answered.startswith("All right, the short version")
    assert answered.endswith(SEA.short)


def test_shorter_than_short_is_refused_politely() -> None:
    history = (LONG_STORY, cut(40, LONG_STORY), said("make it shorter"))
    assert "as short as" in reply(*history, told(*history), said("shorter please"))


def test_shorter_of_anything_else_is_its_first_sentence() -> None:
    count = said("count to thirty")
    assert reply(count, told(count), said("shorter")) == "All right, in short: " + reply(said("count to ten"))


@given(words=st.integers(0, 300), generated=st.integers(0, 40))
def test_going_on_says_exactly_the_words_that_were_not_heard(words: int, generated: int) -> None:
    whole = reply(LONG_STORY).split()
    heard = cut(min(words, len(whole) - 1), LONG_STORY, generated=words + generated)
    answered = reply(LONG_STORY, heard, said("go on"))
    assert answered.split(": ", 1)[1].split() == whole[len(heard.text.split()) :]


def test_a_continued_story_can_be_interrupted_and_continued_again() -> None:
    history = [LONG_STORY, cut(50, LONG_STORY)]
    for _ in range(3):
        history.append(said("go on"))
        history.append(cut(30, *history))
    answered = reply(*history, said("continue"))
    opening_words = answered.split(": ", 1)[0].count(" ") + 1
    heard_words = 50 + 3 * (30 - opening_words)
    assert answered.split(": ", 1)[1].split() == reply(LONG_STORY).split()[heard_words:]


def test_a_word_cut_in_the_middle_is_said_again_whole() -> None:
    whole = reply(LONG_STORY).split()
    broken = Message("assistant", " ".join([*whole[:30], whole[30][:2]]), interrupted=True)
    assert len(whole[30]) > 2
    assert reply(LONG_STORY, broken, said("go on")).split(": ", 1)[1].split() == whole[30:]


def test_a_question_in_between_does_not_lose_the_story() -> None:
    history = (LONG_STORY, cut(40, LONG_STORY), said("what time is it"))
    aside = told(*history)
    assert "say go on" in aside.text
    assert reply(*history, aside, said("go on")).endswith(SEA.text[-40:])


def test_a_count_goes_on_from_the_last_number_heard() -> None:
    asked = said("count to fifty")
    assert reply(asked, cut(12, asked, generated=15), said("go on")).startswith("Going on: thirteen, fourteen,")


def test_an_answer_of_unknown_origin_goes_on_with_what_was_kept_of_it() -> None:
    foreign = Message("assistant", "Paris is", interrupted=True, unheard=" a city in France.")
    assert reply(said("paris"), foreign, said("go on")) == "Going on: a city in France."


def test_a_story_told_to_its_end_does_not_go_on() -> None:
    assert reply(LONG_STORY, told(LONG_STORY), said("go on")).startswith("I had said all")
    history = (LONG_STORY, cut(40, LONG_STORY), said("go on"))
    assert reply(*history, told(*history), said("go on")).startswith("I had said all")
    assert reply(said("go on")).startswith("I have not begun")


def test_an_answer_left_open_is_carried_on_without_being_asked() -> None:
    assert reply(LONG_STORY, cut(40, LONG_STORY)).startswith("Going on")


def test_the_parts_of_one_answer_count_as_one() -> None:
    whole = reply(LONG_STORY).split()
    parts = (
        Message("assistant", " ".join(whole[:20]), interrupted=True, unheard=" ".join(whole[20:60])),
        Message("assistant", " ".join(whole[20:50]), interrupted=True, unheard=" ".join(whole[50:60])),
    )
    assert reply(LONG_STORY, *parts, said("go on")).split(": ", 1)[1].split() == whole[50:]


def test_it_knows_where_it_was_interrupted() -> None:
    heard = cut(40, LONG_STORY)
    answered = reply(LONG_STORY, heard, said("what did you say"))
    last = " ".join(heard.text.split()[-6:]).rstrip(".,")
    assert f"a story about the sea when you interrupted me after “{last}”" in answered


def test_it_knows_that_nothing_was_heard() -> None:
    assert "before you had heard a word" in reply(LONG_STORY, cut(0, LONG_STORY), said("what did you say"))


def test_it_knows_what_was_said_and_on_which_device() -> None:
    count = said("count to two", device="the phone")
    assert reply(count, told(count), said("what did i say")) == "On the phone you said: “count to two”."
    assert reply(count, told(count), said("what did you say")) == "I said: “One, two”."
    assert reply(said("what did i say")) == "You have not said anything before that."


def test_it_sums_up_the_conversation() -> None:
    count = said("count to two")
    answered = reply(count, told(count), LONG_STORY, cut(40, LONG_STORY), said("what did we talk about"))
    assert "You said: “count to two”. I said: “One, two”." in answered
    assert "and you interrupted me after" in answered


def test_it_repeats_the_whole_answer_also_one_that_was_interrupted() -> None:
    whole = f"Once more: {reply(LONG_STORY)}"
    assert reply(LONG_STORY, told(LONG_STORY), said("say that again")) == whole
    history = (LONG_STORY, cut(40, LONG_STORY), said("say that again"))
    assert reply(*history) == whole
    assert reply(*history, told(*history), said("repeat that please")) == whole


def test_what_was_not_understood_is_said_back_with_an_offer() -> None:
    answered = reply(said("actually make it five days"))
    assert "“actually make it five days”" in answered
    assert "say help" in answered


def test_yes_takes_what_was_offered_and_is_otherwise_only_yes() -> None:
    hello, time = said("hello"), said("what time is it")
    assert any(story.text in reply(hello, told(hello), said("yes please")) for story in STORIES)
    assert reply(time, told(time), said("okay")).startswith("All right.")
    assert reply(LONG_STORY, cut(40, LONG_STORY), said("yes")).startswith("Going on")


def test_it_is_polite() -> None:
    name = said("my name is anne")
    assert reply(name) == "Nice to meet you, Anne. I will remember your name in this conversation."
    assert reply(name, told(name), said("thank you")) == "You are welcome, Anne."
    assert reply(name, told(name), said("goodbye")).startswith("Goodbye, Anne.")
    assert reply(said("how are you")).startswith("I am fine")
    assert reply(said("stop")) == "I am quiet."


phrases = st.sampled_from(
    ["go on", "say that again", "shorter", "something else", "a story", "count", "what did you say", "no", ""]
)


@given(st.lists(st.tuples(phrases | st.text(), st.integers(0, 400), st.booleans()), max_size=8))
def test_it_has_an_answer_to_every_conversation(turns: list[tuple[str, int, bool]]) -> None:
    history: list[Message] = []
    for text, words, interrupted in turns:
        history.append(said(text))
        assert reply(*history).strip()
        history.append(cut(words, *history) if interrupted else told(*history))
    assert reply(*history).strip()


@pytest.mark.parametrize("request_", ["go on", "say that again", "shorter"])
def test_a_conversation_of_nothing_but_interruptions_is_answered(request_: str) -> None:
    history = [LONG_STORY, cut(9, LONG_STORY)]
    for _ in range(300):
        history += [said(request_), Message("assistant", "Going", interrupted=True)]
    assert reply(*history, said(request_))


def test_it_streams_word_by_word_at_its_pace() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def main() -> list[str]:
        agent = OfflineAgent(now=lambda: NOW, pause=pause, tokens_per_s=20)
        conversation = Conversation("session", "response", "", (said("what time is it"),))
        return [piece async for piece in agent.reply(conversation)]

    pieces = asyncio.run(main())
    assert pieces == ["It", " is", " two", " oh", " five", " in", " the", " afternoon."]
    assert pauses == [1 / 20] * 7


def test_it_can_be_cancelled_between_words() -> None:
    pieces: list[str] = []
    paused = asyncio.Event()

    async def pause(_seconds: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        async for piece in OfflineAgent(pause=pause).reply(Conversation("session", "response", "", (LONG_STORY,))):
            pieces.append(piece)  # noqa: PERF401  # cancelled, a comprehension would leave nothing

    async def main() -> None:
        task = asyncio.create_task(consume())
        await paused.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert pieces == ["Here"]


# --- an answer that is steered ---


def steered(partial: Message, added: str) -> str:
    messages = (LONG_STORY, partial, said(added))
    return answer(Conversation("session", "", "", messages, steered=Steered("prefill", 1, partial.text)), NOW)


def test_a_steered_answer_goes_on_where_it_stood() -> None:
    whole = reply(LONG_STORY).split()
    assert steered(cut(20, LONG_STORY), "speak a little louder if you can please").split() == whole[20:]


def test_a_steered_answer_may_become_another() -> None:
    assert SEA.short in steered(cut(20, LONG_STORY), "make it shorter")
    assert MOUNTAINS.title in steered(cut(20, LONG_STORY), "the mountains instead")
