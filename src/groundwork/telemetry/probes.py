"""Probes: what a program exists for, tried every few seconds in the background, so that its health is known and not assumed.

A database that answers ``select 1`` may have a full disk behind it, and a broker that nobody asks looks as well as one that works.
So each probe does the real thing in small (a durable write, a round trip through the broker, a stored blob). Whoever asks for the
health reads the last outcome and its age; an outcome that is too old is no outcome. Asking costs nothing, however often it is done.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from groundwork.telemetry.health import OK, Check, look
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

EVERY_SECONDS: Final = 5.0
# A machine that is busy with much else is slow and not ill; whoever waits longer for a commit calls it ill.
PATIENCE_SECONDS: Final = 10.0
# So many rounds may be missed before the last outcome says nothing any more.
_MISSED_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """``check`` does in small what the program is there for; it leaves nothing behind, and raises when it fails."""

    check: Check
    every_seconds: float = EVERY_SECONDS


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """``said``: ``"ok"`` or a sentence. ``age_seconds``: since it was found out; None: never yet."""

    said: str
    age_seconds: float | None


class Probes:
    """The probes of one program and what they last found. ``now`` counts seconds and never goes back."""

    def __init__(
        self, probes: Mapping[str, Probe], metrics: Metrics, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._probes = dict(probes)
        self._now = now
        self._last: dict[str, tuple[str, float]] = {}
        self._failed = metrics.gauge(
            "probe_failed", "Whether what the program is there for failed when last tried", ["probe"]
        )
        self._tried_at = metrics.gauge("probe_tried_timestamp_seconds", "When the probe last ended", ["probe"])

    async def try_one(self, name: str) -> None:
        """Do what the probe does and note how it ended; never raises."""
        found = await look({name: self._probes[name].check}, timeout_seconds=PATIENCE_SECONDS)
        said = found.checks[name]
        before = self._last.get(name, (OK, 0.0))[0]
        if said != before:
            log.warning("probe.changed", probe=name, said=said, before=before)
        self._last[name] = (said, self._now())
        self._failed.labels(name).set(said != OK)
        self._tried_at.labels(name).set_to_current_time()

    async def try_all(self) -> None:
        """All of them, side by side."""
        await asyncio.gather(*map(self.try_one, self._probes))

    def outcomes(self) -> dict[str, ProbeResult]:
        """What each of them last found; one that has not come back for several rounds has failed."""
        return {name: self._outcome(name, probe) for name, probe in self._probes.items()}

    def _outcome(self, name: str, probe: Probe) -> ProbeResult:
        if name not in self._last:
            return ProbeResult("not tried yet", None)
        said, at = self._last[name]
        age = self._now() - at
        is_stale = age > _MISSED_ROUNDS * probe.every_seconds + PATIENCE_SECONDS
        return ProbeResult(f"no outcome for {age:.0f} s" if is_stale else said, round(age, 1))

    async def run(self) -> None:
        """Try each at its own pace until cancelled: one that hangs holds up no other."""
        async with asyncio.TaskGroup() as group:
            for name, probe in self._probes.items():
                group.create_task(self._again(name, probe), name=f"probe {name}")

    async def _again(self, name: str, probe: Probe) -> None:
        while True:
            await asyncio.sleep(probe.every_seconds)
            await self.try_one(name)


@asynccontextmanager
async def probing(probes: Mapping[str, Probe], metrics: Metrics) -> AsyncIterator[Probes]:
    """Tried once before the block begins, and in the background until it ends."""
    found = Probes(probes, metrics)
    await found.try_all()
    task = asyncio.create_task(found.run(), name="probes")
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
