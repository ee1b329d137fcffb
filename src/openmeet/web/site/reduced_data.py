"""Reduced data for browsers that ask for it (``Save-Data: on``): generated covers instead of photographs, and no web
font.

The header is described in https://wicg.github.io/savedata/.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import Scope

_SAVES: ContextVar[bool] = ContextVar("saves_data", default=False)


@contextmanager
def by_request(scope: Scope) -> Iterator[None]:
    """Context manager for one request. Inside it, ``saves_data`` reflects the request's header."""
    save_data = next((value for name, value in scope["headers"] if name == b"save-data"), b"")
    token = _SAVES.set(save_data.strip().lower() == b"on")
    try:
        yield
    finally:
        _SAVES.reset(token)


def saves_data() -> bool:
    """Whether the browser of the current request asks for less data (``Save-Data``)."""
    return _SAVES.get()
