"""Which of a gateway's agents answers: the one that the session's model names. Nothing here waits but for the end."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.runtime.bounds import Bounds
from gateway.runtime.ports import Agent

_USUAL: Final = Bounds()
_NO_OTHERS: Final[Mapping[str, Agent]] = MappingProxyType({})


class Agents:
    """All agents of a gateway."""

    def __init__(
        self,
        default: Agent,
        by_model: Mapping[str, Agent] = _NO_OTHERS,
        bounds: Bounds = _USUAL,
        *,
        regrets: bool = False,
    ) -> None:
        """*default* answers where a session names no model, or one that there is not (any more).

        *bounds* hold for every answer; with *regrets* a failure is told aloud where the answer would have been spoken.
        """
        self.default = default
        self.bounds = bounds
        self.regrets = regrets
        self._by_model = by_model

    def of(self, model: str) -> Agent:
        """Who answers for *model*."""
        return self._by_model.get(model, self.default)

    @property
    def all(self) -> tuple[Agent, ...]:
        """Each of them once."""
        return tuple({id(agent): agent for agent in (self.default, *self._by_model.values())}.values())

    async def aclose(self) -> None:
        """Let all of them go of their connections. Calling it twice is harmless."""
        await asyncio.gather(*(agent.aclose() for agent in self.all))
