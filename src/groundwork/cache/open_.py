"""Open a cache by URL: ``embedded:`` or ``redis://host:port/number``."""

import importlib
from typing import cast

from groundwork.cache.contract import Cache
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import Clock
from groundwork.errors import Refused, Unavailable
from groundwork.telemetry.logs import log

EMBEDDED = "embedded:"
REDIS = ("redis://", "rediss://", "unix://")


def open_cache(url: str, *, prefix: str, clock: Clock) -> Cache:
    """Open the cache. ``prefix`` separates the keys of tenants and programs. Raises ``Refused``."""
    if url == EMBEDDED:
        return InProcessCache(clock)
    if url.startswith(REDIS):
        try:
            # The client library is an optional extra.
            driver = importlib.import_module("groundwork.cache.redis")
        except ModuleNotFoundError as missing:
            raise Refused("A redis:// cache needs an optional package: run make services.") from missing
        return cast("Cache", driver.RedisCache(url, prefix=prefix))
    raise Refused("A cache URL is embedded: or begins with redis://.")


async def check_cache(cache: Cache, advice: str) -> None:
    """Log a warning with this advice if the cache cannot be reached. Called at start, because a program works without
    its cache, and the operator would not notice.
    """
    try:
        await cache.get("checked at start")
    except Unavailable as failure:
        log.warning("cache.unreachable", reason=failure.why, cause=type(failure.__cause__).__name__, advice=advice)
