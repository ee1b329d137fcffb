"""Health of a program: live (its event loop answers) and ready (its dependencies also answer).

*Live* decides about restarts, so it checks nothing outside the process: a restart does not fix a database. *Ready*
decides about routing and checks everything that a request needs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from groundwork.errors import Failure, Unavailable
from groundwork.telemetry.logs import log

# A check returns if all is well and raises otherwise. A Failure's sentence is shown; other errors are only logged.
Check = Callable[[], Awaitable[None]]

# A load balancer's timeout is a few seconds. This timeout is well below that.
CHECK_SECONDS = 1.5

OK = "ok"
_LONGEST_CAUSE = 500


@dataclass(frozen=True, slots=True)
class Readiness:
    """The outcome of each check: ``"ok"`` or a sentence. ``causes``: of failed checks, the error behind the sentence,
    for logs only.
    """

    checks: dict[str, str]
    causes: dict[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return all(outcome == OK for outcome in self.checks.values())


async def run_checks(checks: Mapping[str, Check], *, timeout_seconds: float = CHECK_SECONDS) -> Readiness:
    """Run all checks concurrently, each with the same timeout."""
    results = await asyncio.gather(*(_one(name, check, timeout_seconds) for name, check in checks.items()))
    outcomes = dict(zip(checks, results, strict=True))
    causes = {name: cause for name, (_, cause) in outcomes.items() if cause}
    return Readiness({name: outcome for name, (outcome, _) in outcomes.items()}, causes)


async def _one(name: str, check: Check, timeout_seconds: float) -> tuple[str, str]:
    """The outcome of one check, and the cause of a failure if it is known."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await check()
    except TimeoutError:
        return f"no answer within {timeout_seconds:g} s", ""
    except Failure as failure:
        return str(failure.why), cause_of(failure)
    except Exception as error:  # noqa: BLE001  # an edge: any error means "not ready", and its text might be internal
        log.warning("check.failed", check=name, exc_info=error)
        return "failed; see the log", ""
    return OK, ""


def log_fields(failure: Exception) -> dict[str, object]:
    """Return the fields of a log line about a failure: its traceback, or a reason without one if it is an outage. Many
    tasks notice the same outage.
    """
    if not isinstance(failure, Unavailable) or not failure.is_outage:
        return {"exc_info": failure}
    causes = {"cause": cause} if (cause := cause_of(failure)) else {}
    return {"reason": str(failure.why), **causes}


def cause_of(failure: BaseException) -> str:
    """Return the error behind a failure, for the log; empty if there is none."""
    cause = failure.__cause__
    return "" if cause is None else f"{type(cause).__name__}: {cause}"[:_LONGEST_CAUSE]
