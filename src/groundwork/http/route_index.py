"""Index that finds the routes for a path without trying all of them.

Starlette's router tries one route after another. With 700 routes, that takes longer than answering from a cache.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

# The first two segments and the number of segments tell routes apart well enough: at most a few dozen share them.
_DEPTH = 2
# Paths can have more segments than any route. This limits how many routers are kept.
_MAX_SEGMENTS = 12


@dataclass(frozen=True, slots=True)
class _Shape:
    """The key by which routes are found.

    For a path: the first segments that it shares with some route, at most two, and how many segments it has. For a
    route: the segments before its first parameter, at most two, and how many segments a matching path has (None for any
    number).
    """

    start: tuple[str, ...]
    segments: int | None


class RouteIndex:
    """An ASGI application that behaves like a single router with all of ``routes``."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [(_shape(route), route) for route in routes]
        # Every prefix of a route, so that a path finds the longest one that it shares with a route.
        self._starts = {shape.start[:length] for shape, _ in self._routes for length in range(_DEPTH + 1)} | {()}
        self._routers: dict[_Shape, Router] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(self._shape_of(scope["path"]))(scope, receive, send)

    def _shape_of(self, path: str) -> _Shape:
        segments = path.split("/", _MAX_SEGMENTS)[1:]
        beginnings = (tuple(segments[:length]) for length in range(min(len(segments), _DEPTH), -1, -1))
        return _Shape(next(start for start in beginnings if start in self._starts), len(segments))

    def _router(self, shape: _Shape) -> Router:
        """Return a router with the routes that paths of this shape can match, in order. It is created when first
        needed.
        """
        if shape not in self._routers:
            matching_routes = [
                route
                for one, route in self._routes
                if shape.start[: len(one.start)] == one.start and one.segments in {shape.segments, None}
            ]
            # A redirect that adds or removes a slash would be built from the Host header.
            self._routers[shape] = Router(matching_routes, redirect_slashes=False)
        return self._routers[shape]


def _shape(route: BaseRoute) -> _Shape:
    return _shape_of_routes(route.path) if isinstance(route, Route) else _Shape((), None)


@functools.cache
def _shape_of_routes(path: str) -> _Shape:
    """Return the shape of routes with this path, parameters included. Cached because servers of one process share
    paths.
    """
    segments = path.split("/")[1:]
    with_parameter = next((at for at, segment in enumerate(segments) if "{" in segment), len(segments))
    is_any = ":path}" in path or len(segments) >= _MAX_SEGMENTS
    return _Shape(tuple(segments[: min(with_parameter, _DEPTH)]), None if is_any else len(segments))
