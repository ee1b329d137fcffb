"""The bridge in its own process, so that a test can kill it. It delivers and reads until it is killed.

    python -m tests.openmeet.matrix.bridge_process DATABASE SCHEMA NOW SYNAPSE_URL SERVER_NAME TOKEN_FILE TENANT

It prints ``said ready`` when it starts. It prints ``said passed KIND`` for each event, after the homeserver has
accepted the event and before the bridge stores this.
"""

import asyncio
import sys
from pathlib import Path
from time import monotonic

from groundwork.clock import SECOND, HandClock, Instant, SystemClock
from groundwork.database.open_ import open_database
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.retry import RetryPolicy
from groundwork.telemetry.logs import configure
from openmeet.matrix import reader
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.call_jobs import call_handler, person_handler
from openmeet.matrix.calls import open_client
from openmeet.matrix.delivery import room_handler
from openmeet.matrix.registration import open_homeserver
from openmeet.outbox.kinds import JobKind
from tests.openmeet.matrix.conftest import SEALER


class RunningClock(HandClock):
    """A clock that starts at a given time and runs at the speed of the machine's clock. Tests can also turn it forward."""

    def __init__(self, start: Instant) -> None:
        super().__init__(start)
        self._began = monotonic()

    def now(self) -> Instant:
        return Instant(super().now() + round((monotonic() - self._began) * SECOND))


def _passed(kind: str) -> None:
    print("said passed", kind, flush=True)


async def main(database: str, schema: str, now: str, url: str, name: str, token: str, tenant: str) -> None:
    # The test reads only the lines above. Other output would fill the pipe and block this process.
    configure(level="error", stream=sys.stderr)
    db = await open_database(database, schema=schema, clock=RunningClock(Instant(int(now))))
    http = open_client("openmeet/tests")
    try:
        homeserver = open_homeserver(http, SystemClock(), url, name, Path(token))
        await _deliver_and_read(Bridge(db, homeserver, SEALER, tenant, federates=False, language="en"))
    finally:
        await http.close()
        await db.close()


async def _deliver_and_read(bridge: Bridge) -> None:
    soon = RetryPolicy(first_seconds=0.2, longest_seconds=1.0)
    deliveries = {
        JobKind.MATRIX_ROOM: one_job_per_call(room_handler(bridge, _passed), partitions_at_once=50, retry=soon),
        JobKind.MATRIX_CALL: one_job_per_call(call_handler(bridge), retry=soon),
        JobKind.MATRIX_PERSON: one_job_per_call(person_handler(bridge), retry=soon),
    }
    print("said ready", flush=True)
    reading = asyncio.create_task(reader.run(bridge, asyncio.Event(), lambda _number: None))
    while not reading.done():
        if not await dispatcher.run_once(bridge.db, deliveries):
            await asyncio.sleep(0.1)
    await reading


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
