"""Probes: small trials of a program's operations, run every few seconds in the background to measure its health.

A database that answers ``select 1`` can have a full disk, and an unused broker looks the same as a working one. Each
probe therefore performs a real operation (a durable write, a round trip through the broker, storing a blob). A health
request reads the last result and its age; a result that is too old counts as failed. The cost of the probes does not
depend on the number of health requests.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from groundwork.telemetry.health import OK, Check, run_checks
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

EVERY_SECONDS: Final = 5.0
# A busy machine is slow but not broken. After this time, a commit counts as failed.
PATIENCE_SECONDS: Final = 10.0
# After this many missed rounds, the last result no longer counts.
_MISSED_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """A small trial of something the program does. ``check`` leaves nothing behind and raises if it fails.

    ``advice`` is logged with a failure: what the operator should check.
    """

    check: Check
    every_seconds: float = EVERY_SECONDS
    advice: str = ""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Result of a probe. ``outcome`` is ``"ok"`` or a sentence. ``age_seconds`` is the time since the check, or None
    before the first.
    """

    outcome: str
    age_seconds: float | None


class Probes:
    """The probes of one program and their last results. ``now`` is a monotonic clock in seconds."""

    def __init__(
        self, probes: Mapping[str, Probe], metrics: Metrics, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._probes = dict(probes)
        self._now = now
        self._last: dict[str, tuple[str, float]] = {}
        self._failed = metrics.gauge("probe_failed", "Whether the last run of the probe failed", ["probe"])
        self._tried_at = metrics.gauge("probe_tried_timestamp_seconds", "When the probe last finished", ["probe"])

    async def try_one(self, name: str) -> None:
        """Run the probe and store its result. Never raises."""
        probe = self._probes[name]
        readiness = await run_checks({name: probe.check}, timeout_seconds=PATIENCE_SECONDS)
        outcome = readiness.checks[name]
        before = self._last.get(name, (OK, 0.0))[0]
        if outcome != before:
            causes = {"cause": readiness.causes[name]} if name in readiness.causes else {}
            advice = {"advice": probe.advice} if probe.advice and outcome != OK else {}
            log.warning("probe.changed", probe=name, outcome=outcome, before=before, **causes, **advice)
        self._last[name] = (outcome, self._now())
        self._failed.labels(name).set(outcome != OK)
        self._tried_at.labels(name).set_to_current_time()

    async def try_all(self) -> None:
        """Run all probes concurrently."""
        await asyncio.gather(*map(self.try_one, self._probes))

    def outcomes(self) -> dict[str, ProbeResult]:
        """Return the last result of each probe. A probe that has not returned for several rounds has failed."""
        return {name: self._outcome(name, probe) for name, probe in self._probes.items()}

    def _outcome(self, name: str, probe: Probe) -> ProbeResult:
        if name not in self._last:
            return ProbeResult("not tried yet", None)
        outcome, at = self._last[name]
        age = self._now() - at
        is_stale = age > _MISSED_ROUNDS * probe.every_seconds + PATIENCE_SECONDS
        return ProbeResult(f"no result for {age:.0f} s" if is_stale else outcome, round(age, 1))

    async def run(self) -> None:
        """Run each probe at its own interval, independently of the others, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, probe in self._probes.items():
                group.create_task(self._again(name, probe), name=f"probe {name}")

    async def _again(self, name: str, probe: Probe) -> None:
        while True:
            await asyncio.sleep(probe.every_seconds)
            await self.try_one(name)


@asynccontextmanager
async def probing(probes: Mapping[str, Probe], metrics: Metrics) -> AsyncIterator[Probes]:
    """Run all probes once before the block begins, then in the background until it ends."""
    running = Probes(probes, metrics)
    await running.try_all()
    task = asyncio.create_task(running.run(), name="probes")
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.wait([task])
