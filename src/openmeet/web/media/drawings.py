"""PNG pictures that take a while to draw. Worker processes draw them. Concurrent requests for the same picture share
one drawing.

A thread would not work: the renderer holds the GIL, so every other request would wait for each drawing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, TypeVarTuple, Unpack

from starlette.requests import Request

from groundwork.errors import Unavailable
from openmeet.domain.media.pictures import MediaReason
from openmeet.web.site.tenant_routing import workers_of_anybody

_Arguments = TypeVarTuple("_Arguments")

_MOST_WAITING: Final = 16
_MOST_KEPT: Final = 256
_waiting: Final[dict[Hashable, asyncio.Task[bytes]]] = {}
_kept: Final[OrderedDict[Hashable, bytes]] = OrderedDict()


async def draw_cached(request: Request, draw: Callable[[Unpack[_Arguments]], bytes], *arguments: *_Arguments) -> bytes:
    """The result of ``draw`` for these arguments, which must be hashable. Its CPU time is charged to the first client
    that requests it.

    Raises Unavailable if too many requests are waiting, and TooMany if this address has used up its quota.
    """
    key: tuple[Any, ...] = (draw, *arguments)
    if (cached := _kept.get(key)) is not None:
        _kept.move_to_end(key)
        return cached
    if key not in _waiting:
        if len(_waiting) >= _MOST_WAITING:
            raise Unavailable(MediaReason.TOO_MANY_CARDS, after_seconds=10)
        _waiting[key] = asyncio.create_task(workers_of_anybody(request).run(partial(draw, *arguments)))
        _waiting[key].add_done_callback(partial(_cache, key))
    # If one request gives up, the drawing continues for the others that wait for it.
    return await asyncio.shield(_waiting[key])


def _cache(key: Hashable, drawing: asyncio.Task[bytes]) -> None:
    del _waiting[key]
    if drawing.cancelled() or drawing.exception() is not None:
        return  # the waiting requests get the exception
    _kept[key] = drawing.result()
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
