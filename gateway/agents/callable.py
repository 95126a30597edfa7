"""The user's own code as an agent: ``package.module:function``."""

import importlib
import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Final

from gateway.errors import AgentError, SettingsError
from gateway.runtime.ports import Agent, Conversation, Piece, SteerMode

_STEER_MODES: Final[tuple[SteerMode, ...]] = ("native", "prefill", "instruction")
_EXAMPLE: Final = "`async def reply(conversation): yield 'Hello'`"


def load(path: str) -> Agent:
    """The agent at *path*, ``package.module:name``; the current directory can be imported from.

    The name is an async generator function of one argument, the conversation, that yields ``str``, or what else an
    answer may hold (``gateway.runtime.models.Piece``: the call of a tool, what it cost, …);
    or an object with such a ``reply``, whose ``name``, ``steer`` and ``aclose`` are used where it
    has them. Raises :class:`SettingsError` with a sentence that says what is wrong.
    """
    target = find("agent", path)
    if inspect.isclass(target):
        raise SettingsError(f"The agent {path!r} is a class; name an instance of it.")
    reply = getattr(target, "reply", None)
    if callable(reply):
        return CallableAgent(reply, path, target)
    return CallableAgent(_generator(target, path), path, None)


def find(what: str, path: str) -> object:
    """What is called *path*, ``package.module:name``; *what* it is to be stands in the message of an error.

    Raises :class:`SettingsError`.
    """
    module, colon, name = path.partition(":")
    if not colon or not module or not name or module.startswith("."):
        raise SettingsError(f"The {what} {path!r} must be written package.module:function, with a colon.")
    return _attribute(what, _module(what, module), module, name)


class CallableAgent:
    """Code by others behind the agent's contract: whatever it raises is an :class:`AgentError`."""

    speaks = hears = False

    def __init__(self, reply: Callable[[Conversation], object], path: str, owner: object | None) -> None:
        self._reply = reply
        self._path = path
        self._owner = owner
        name, steer = getattr(owner, "name", None), getattr(owner, "steer", None)
        self.name = name if isinstance(name, str) else f"callable {path}"
        self.steer: SteerMode = next((mode for mode in _STEER_MODES if mode == steer), "instruction")

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Yield what the code yields. Raises :class:`AgentError`, ``agent_crashed`` with the cause chained."""
        try:
            async with AsyncExitStack() as stack:
                stream = self._iterator(self._reply(conversation))
                if inspect.isasyncgen(stream):
                    await stack.enter_async_context(aclosing(stream))
                async for piece in stream:
                    yield self._piece(piece)
        except AgentError:
            raise
        except Exception as error:
            raise AgentError("agent_crashed", f"{self._path} raised {type(error).__name__}.") from error

    async def aclose(self) -> None:
        """Close the object behind it, if it can be closed."""
        close = getattr(self._owner, "aclose", None)
        if callable(close):
            closing = close()
            if inspect.isawaitable(closing):
                await closing

    def _iterator(self, answer: object) -> AsyncIterator[object]:
        if inspect.iscoroutine(answer):
            answer.close()
        if not isinstance(answer, AsyncIterator):
            kind = type(answer).__name__
            raise AgentError("agent_crashed", f"{self._path} returned {kind} instead of yielding: write {_EXAMPLE}.")
        return answer

    def _piece(self, piece: object) -> Piece:
        if not isinstance(piece, Piece):
            raise AgentError("agent_crashed", f"{self._path} yielded {type(piece).__name__} instead of str.")
        return piece


def _module(what: str, name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SettingsError(
                f"The {what}'s module {name!r} was not found, neither installed nor in the current directory."
            ) from None
        raise _broken_module(what, name, error) from error
    except Exception as error:
        raise _broken_module(what, name, error) from error


def _broken_module(what: str, name: str, error: Exception) -> SettingsError:
    return SettingsError(f"The {what}'s module {name!r} was found, but failed: {type(error).__name__}: {error}")


def _attribute(what: str, module: object, module_name: str, name: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError:
        raise SettingsError(f"The {what}'s module {module_name!r} has nothing called {name!r}.") from None


def _generator(target: object, path: str) -> Callable[[Conversation], object]:
    if not (callable(target) and inspect.isasyncgenfunction(target)):
        raise SettingsError(f"The agent {path!r} is not an async generator function: write {_EXAMPLE}.")
    try:
        inspect.signature(target).bind(None)
    except TypeError:
        raise SettingsError(f"The agent {path!r} must take exactly one argument, the conversation.") from None
    return target
