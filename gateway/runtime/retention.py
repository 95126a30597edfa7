"""How long conversations are kept: until nobody has used them for too long, or until there are too many."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from gateway.core.ids import SessionId
from gateway.errors import StoreError
from gateway.runtime.clock import Clock
from gateway.runtime.ports import Store
from gateway.runtime.registry import Registry

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
"""Between two looks at what is to go."""

PAGE: Final = 100

Remove = Callable[[SessionId], Awaitable[bool]]
"""Removes a session, unless it is in use or gone: then False."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept of what nobody uses. Infinite: all of it."""

    seconds: float = inf
    """Since the last fact of a session."""

    size: float = inf
    """Bytes of all sessions together; when there are more, those that were unused for longest go."""


async def watch(store: Store, keep: Keep, registry: Registry, clock: Clock) -> None:
    """Remove what is not to be kept, now and then, until cancelled. A log that fails is asked again later.

    The room is given back while no session is in memory, at the start if not later: nobody waits for it then.
    """
    while True:
        try:
            await retain(store, keep, registry.remove, clock.wall())
            if not len(registry):
                await store.compact()
        except StoreError as error:
            log.warning("sessions that were kept long enough could not be removed: %s", error.code)
        await asyncio.sleep(EVERY_S)


async def retain(store: Store, keep: Keep, remove: Remove, wall: float) -> int:
    """Remove what is not to be kept, one session after another; how many. Raises :class:`gateway.errors.StoreError`."""
    removed = await _the_old(store, wall - keep.seconds, remove) + await _too_many(store, keep.size, remove)
    if removed:
        log.info("removed %d sessions that were kept long enough", removed)
    return removed


async def _the_old(store: Store, before: float, remove: Remove) -> int:
    removed, limit = 0, PAGE
    while True:
        old = await store.least_used(before, limit)
        gone = [info for info in old if await remove(info.session)]
        removed += len(gone)
        if len(old) < limit:
            return removed
        limit += len(old) - len(gone)  # those that are in use stand in front of the others the next time too


async def _too_many(store: Store, size: float, remove: Remove) -> int:
    removed, limit, over = 0, PAGE, await store.size() - size
    while over > 0:
        unused = await store.least_used(inf, limit)
        stay = 0
        for info in unused:
            if over <= 0:
                break
            if await remove(info.session):
                removed, over = removed + 1, over - info.size
            else:
                stay += 1
        if len(unused) < limit:
            break
        limit += stay
    return removed
