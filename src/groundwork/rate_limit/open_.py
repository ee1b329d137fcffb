"""Open rate limit counters by URL: ``embedded:`` or ``redis://host:port/number``."""

import importlib
from typing import cast

from groundwork.errors import Refused
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.in_process import InProcessCounters

EMBEDDED = "embedded:"
REDIS = ("redis://", "rediss://", "unix://")


def open_counters(url: str, *, prefix: str) -> Counters:
    """Open the counters. ``prefix`` separates the keys of programs. Raises ``Refused``."""
    if url == EMBEDDED:
        return InProcessCounters()
    if url.startswith(REDIS):
        try:
            # The client library is an optional extra.
            driver = importlib.import_module("groundwork.rate_limit.redis")
        except ModuleNotFoundError as missing:
            raise Refused("Counters in Redis need an optional package: run make services.") from missing
        return cast("Counters", driver.RedisCounters(url, prefix=prefix))
    raise Refused("A URL of counters is embedded: or begins with redis://.")
