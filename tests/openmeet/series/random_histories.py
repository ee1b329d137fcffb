"""Random histories, each with its own database, on both engines."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Engine
from tests.hypothesis_profiles import examples
from tests.openmeet.series.conftest import Fresh


class OnDatabases(RuleBasedStateMachine):
    """A state machine whose first step opens ``loop``, ``clock`` and ``db``."""

    fresh: Fresh
    loop: asyncio.AbstractEventLoop
    clock: HandClock
    db: Database

    def run(self, work: Any) -> Any:
        """Run the function in a separate transaction, one second after the previous one."""
        self.clock.turn(SECOND)

        async def inside() -> Any:
            async with self.db.transaction() as tx:
                return await work(tx)

        return self.loop.run_until_complete(inside())

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.loop.run_until_complete(self.db.close())
            self.loop.close()


def run_histories(machine: type[OnDatabases], fresh: Fresh, engine: Engine, *, steps: int) -> None:
    """Run fewer examples on PostgreSQL, where each one has to empty a schema."""

    async def another(_machine: OnDatabases) -> tuple[str, str]:
        return await fresh()

    case = type("Machine", (machine,), {"fresh": another}).TestCase  # type: ignore[attr-defined]  # every one here has it
    case.settings = settings(
        max_examples=examples(30 if engine == "sqlite" else 12),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()
