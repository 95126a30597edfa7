"""Agents that are somebody else's code."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.agents.callable import load
from gateway.errors import AgentError, SettingsError
from gateway.runtime.ports import Agent, Conversation, Message

ASKED = Conversation("session", "response", "", (Message("user", "two words"),))

Write = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes a module into the current directory, which is a new one, and tells its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)

    def write(source: str) -> str:
        (tmp_path / "my_agent.py").write_text(source, encoding="utf-8")
        return "my_agent"

    yield write
    for name in set(sys.modules) - known:
        del sys.modules[name]


def answered(agent: Agent, conversation: Conversation = ASKED) -> list[str]:
    async def main() -> list[str]:
        return [piece async for piece in agent.reply(conversation) if isinstance(piece, str)]

    return asyncio.run(main())


def refusal(path: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(path)
    return str(caught.value)


def crash(agent: Agent) -> AgentError:
    with pytest.raises(AgentError) as caught:
        answered(agent)
    assert caught.value.code == "agent_crashed"
    return caught.value


def test_a_generator_function_of_the_current_directory_is_an_agent(module: Write) -> None:
    name = module("async def reply(conversation):\n    yield conversation.messages[-1].text\n    yield '!'\n")
    agent = load(f"{name}:reply")
    assert answered(agent) == ["two words", "!"]
    assert agent.name == "callable my_agent:reply"
    assert agent.steer == "instruction"
    asyncio.run(agent.aclose())


def test_an_object_with_a_reply_is_an_agent_with_its_own_name(module: Write) -> None:
    name = module(
        "class Mine:\n"
        "    name, steer, closed = 'mine', 'prefill', 0\n"
        "    async def reply(self, conversation):\n        yield 'hi'\n"
        "    async def aclose(self):\n        self.closed += 1\n"
        "mine = Mine()\n"
    )
    agent = load(f"{name}:mine")
    assert answered(agent) == ["hi"]
    assert (agent.name, agent.steer) == ("mine", "prefill")
    asyncio.run(agent.aclose())
    assert sys.modules[name].mine.closed == 1


def test_an_object_may_tell_nothing_but_its_reply(module: Write) -> None:
    name = module(
        "class Mine:\n    steer = 'sideways'\n    async def reply(self, conversation):\n        yield 'hi'\n"
        "mine = Mine()\n"
    )
    agent = load(f"{name}:mine")
    assert (agent.name, agent.steer) == ("callable my_agent:mine", "instruction")
    asyncio.run(agent.aclose())


@pytest.mark.parametrize("path", ["my_agent", "my_agent.reply", "my_agent:", ":reply", "", ".my_agent:reply"])
def test_a_path_without_both_halves_is_told_how_to_write_it(path: str) -> None:
    assert "package.module:function" in refusal(path)


@pytest.mark.parametrize("path", ["not_there:reply", "not_there.at_all:reply", "gateway.not_there:reply"])
def test_a_module_that_is_not_there_was_not_found(path: str) -> None:
    assert "was not found" in refusal(path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("import my_agent_lib", "ModuleNotFoundError"),
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("def", "SyntaxError"),
    ],
)
def test_a_module_that_fails_was_found(module: Write, source: str, reason: str) -> None:
    sentence = refusal(f"{module(source)}:reply")
    assert "was found, but failed" in sentence
    assert reason in sentence


def test_a_name_that_is_not_there_is_named(module: Write) -> None:
    assert "nothing called 'answer'" in refusal(f"{module('')}:answer")


@pytest.mark.parametrize(
    "source",
    ["def reply(conversation): return 'hi'", "async def reply(conversation): return 'hi'", "reply = 'hi'"],
)
def test_what_does_not_yield_is_told_to(module: Write, source: str) -> None:
    assert "not an async generator function" in refusal(f"{module(source)}:reply")


@pytest.mark.parametrize("arguments", ["", "a, b"])
def test_what_takes_other_arguments_is_told_to_take_one(module: Write, arguments: str) -> None:
    name = module(f"async def reply({arguments}):\n    yield 'hi'\n")
    assert "exactly one argument" in refusal(f"{name}:reply")


def test_a_class_is_no_agent(module: Write) -> None:
    name = module("class Mine:\n    async def reply(self, conversation):\n        yield 'hi'\n")
    assert "name an instance" in refusal(f"{name}:Mine")


def test_an_exception_becomes_an_agent_error_with_its_cause(module: Write) -> None:
    name = module("async def reply(conversation):\n    yield 'hi'\n    raise KeyError(conversation.messages[0].text)\n")
    error = crash(load(f"{name}:reply"))
    assert isinstance(error.__cause__, KeyError)
    assert "KeyError" in str(error)
    assert "two words" not in str(error)


def test_an_agent_error_of_its_own_passes(module: Write) -> None:
    name = module(
        "from gateway.errors import AgentError\n"
        "async def reply(conversation):\n    raise AgentError('rate_limited', 'Later.')\n    yield 'hi'\n"
    )
    with pytest.raises(AgentError, match="Later") as caught:
        answered(load(f"{name}:reply"))
    assert caught.value.code == "rate_limited"


def test_a_piece_that_is_no_text_is_a_crash_that_names_its_type(module: Write) -> None:
    name = module("async def reply(conversation):\n    yield b'hi'\n")
    assert "yielded bytes instead of str" in str(crash(load(f"{name}:reply")))


def test_an_object_whose_reply_returns_is_a_crash_that_names_its_type(module: Write) -> None:
    name = module(
        "class Mine:\n    async def reply(self, conversation):\n        return 'hi'\nmine = Mine()\n"
        "class Old:\n    def reply(self, conversation):\n        return ['hi']\nold = Old()\n"
    )
    assert "returned coroutine" in str(crash(load(f"{name}:mine")))
    assert "returned list" in str(crash(load(f"{name}:old")))


def test_an_iterator_that_is_no_generator_will_do(module: Write) -> None:
    name = module(
        "class Pieces:\n"
        "    def __init__(self): self.left = ['a', 'b']\n"
        "    def __aiter__(self): return self\n"
        "    async def __anext__(self):\n"
        "        if not self.left: raise StopAsyncIteration\n"
        "        return self.left.pop(0)\n"
        "class Mine:\n    def reply(self, conversation): return Pieces()\nmine = Mine()\n"
    )
    assert answered(load(f"{name}:mine")) == ["a", "b"]


SLOW = """\
import asyncio
log = []
waiting = asyncio.Event()
async def reply(conversation):
    try:
        yield 'one'
        waiting.set()
        await asyncio.Event().wait()
    finally:
        log.append('closed')
"""


def test_cancelling_reaches_the_code(module: Write) -> None:
    agent = load(f"{module(SLOW)}:reply")
    code = sys.modules["my_agent"]

    async def consume() -> None:
        async for _ in agent.reply(ASKED):
            pass

    async def main() -> None:
        task = asyncio.create_task(consume())
        await code.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert code.log == ["closed"]


def test_closing_the_iterator_closes_the_code_at_once(module: Write) -> None:
    agent = load(f"{module(SLOW)}:reply")

    async def main() -> list[str]:
        reply = agent.reply(ASKED)
        assert await anext(reply) == "one"
        await reply.aclose()
        return list(sys.modules["my_agent"].log)

    assert asyncio.run(main()) == ["closed"]


def test_the_example_says_back_what_it_heard() -> None:
    agent = load("examples.agents.echo:reply")
    assert "".join(answered(agent)) == "You said: two words "
    cut = Message("assistant", "one two three", interrupted=True, unheard="four")
    interrupted = Conversation("session", "response", "", (Message("user", "count"), cut, Message("user", "stop")))
    assert "".join(answered(agent, interrupted)) == "You stopped me after 3 words. You said: stop "
    assert "Say something" in "".join(answered(agent, Conversation("session", "response", "", ())))
