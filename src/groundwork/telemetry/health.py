"""Whether a program is alive (its event loop answers) and ready (what it stands on answers too).

*Live* is for restarting, so it looks at nothing outside the process: a database that is away is not mended by a
restart. *Ready* is for routing requests and looks at everything that a request would need.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from groundwork.errors import Failure
from groundwork.telemetry.logs import log

# A check says nothing when all is well and raises when it is not; a Failure's sentence is shown, others are only logged.
Check = Callable[[], Awaitable[None]]

# A balancer's own patience is a few seconds: answered well before it is over.
CHECK_SECONDS = 1.5

OK = "ok"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The outcome per check: ``"ok"`` or a sentence."""

    checks: dict[str, str]

    @property
    def is_ready(self) -> bool:
        return all(said == OK for said in self.checks.values())


async def look(checks: Mapping[str, Check], *, timeout_seconds: float = CHECK_SECONDS) -> Readiness:
    """Run all checks side by side, each with the same patience."""
    said = await asyncio.gather(*(_one(name, check, timeout_seconds) for name, check in checks.items()))
    return Readiness(dict(zip(checks, said, strict=True)))


async def _one(name: str, check: Check, timeout_seconds: float) -> str:
    try:
        async with asyncio.timeout(timeout_seconds):
            await check()
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s"
    except Failure as failure:
        return failure.why
    except Exception as error:  # noqa: BLE001  # an edge: any trouble means "not ready", and its text may be internal
        log.warning("check.failed", check=name, exc_info=error)
        return "failed; the log says why"
    return OK
