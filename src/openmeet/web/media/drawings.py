"""PNG pictures that take a while to draw: a worker process draws them, the same picture once for all who wait for it.

Not a thread: the renderer holds the interpreter's lock, so every other request would wait for each drawing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, TypeVarTuple, Unpack

from starlette.requests import Request

from groundwork.errors import Unavailable
from openmeet.domain.media.reasons import MediaReason
from openmeet.web.site.tenant_routing import workers_of_anybody

_Arguments = TypeVarTuple("_Arguments")

_MOST_WAITING: Final = 16
_MOST_KEPT: Final = 256
_waiting: Final[dict[Hashable, asyncio.Task[bytes]]] = {}
_kept: Final[OrderedDict[Hashable, bytes]] = OrderedDict()


async def drawn(request: Request, draw: Callable[[Unpack[_Arguments]], bytes], *arguments: *_Arguments) -> bytes:
    """What ``draw`` returns for these arguments, which are hashable; its processor time is charged to whoever asks first.

    Raises Unavailable where too many wait already, TooMany where this address has used up its quota.
    """
    key: tuple[Any, ...] = (draw, *arguments)
    if (kept := _kept.get(key)) is not None:
        _kept.move_to_end(key)
        return kept
    if key not in _waiting:
        if len(_waiting) >= _MOST_WAITING:
            raise Unavailable(MediaReason.TOO_MANY_CARDS, after_seconds=10)
        _waiting[key] = asyncio.create_task(workers_of_anybody(request).run(partial(draw, *arguments)))
        _waiting[key].add_done_callback(partial(_keep, key))
    # Anyone who gives up leaves it to the others who wait for the same picture.
    return await asyncio.shield(_waiting[key])


def _keep(key: Hashable, drawing: asyncio.Task[bytes]) -> None:
    del _waiting[key]
    if drawing.cancelled() or drawing.exception() is not None:
        return  # those who wait for it get the exception
    _kept[key] = drawing.result()
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
