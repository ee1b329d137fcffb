"""The Matrix bridge of one community, if the settings name a homeserver: its job handlers and its reader."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import Counter, Gauge

from groundwork.clock import SECOND
from groundwork.errors import Unavailable
from groundwork.outbox.delivery import Delivery, Postponement, one_job_per_call, stored_reason_of
from groundwork.outbox.retry import RetryPolicy
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.matrix import reader
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.call_jobs import call_handler, person_handler
from openmeet.matrix.calls import open_client
from openmeet.matrix.delivery import room_handler
from openmeet.matrix.registration import open_homeserver
from openmeet.outbox.kinds import JobKind
from programs.platform import Platform
from programs.running import VERSION

# A homeserver that comes back is noticed within a minute.
_RETRY = RetryPolicy(first_seconds=2.0, longest_seconds=60.0)
# A room with a long log takes a while, so its job is leased alone.
_LEASE_SECONDS = 600.0
_NOT_CONFIGURED: Final = Postponement(
    stored_reason_of(Unavailable("No Matrix homeserver is configured (OPENMEET_MATRIX_URL).")), seconds=3600.0
)


@asynccontextmanager
async def open_bridge(platform: Platform) -> AsyncIterator[Bridge | None]:
    """Open the bridge; None if no homeserver is configured. Raises Refused if its token is missing."""
    settings = platform.settings
    if not settings.matrix_url:
        yield None
        return
    http = open_client(f"openmeet/{VERSION}")
    try:
        homeserver = open_homeserver(
            http, platform.clock, settings.matrix_url, settings.matrix_server_name, settings.matrix_token_file
        )
        yield Bridge(
            platform.db,
            homeserver,
            platform.network.sealer,
            platform.tenant.name,
            federates=settings.matrix_federate,
            language=settings.language,
            pictures=platform.pictures,
            workers=platform.workers,
            picture_bytes=settings.chat_picture_bytes,
            counters=None if settings.is_unlimited else InProcessCounters(),
            messages_per_hour=settings.chat_messages_per_hour,
            site_name=settings.site_name,
            site_url=settings.public_url,
        )
    finally:
        await http.close()


def matrix_deliveries(platform: Platform, bridge: Bridge | None) -> Mapping[str, Delivery]:
    """The kinds of jobs that call the homeserver. Without one, they wait until an operator configures it."""
    events, _ = _metrics(platform)
    if bridge is None:
        return dict.fromkeys((JobKind.MATRIX_ROOM, JobKind.MATRIX_PERSON, JobKind.MATRIX_CALL), _NOT_CONFIGURED)
    passed_on = events.labels(platform.tenant.name, "out")
    return {
        # Each room is a partition, so that no room waits for another.
        JobKind.MATRIX_ROOM: one_job_per_call(
            room_handler(bridge, lambda _kind: passed_on.inc()),
            partitions_at_once=50,
            lease_seconds=_LEASE_SECONDS,
            retry=_RETRY,
        ),
        JobKind.MATRIX_PERSON: one_job_per_call(
            person_handler(bridge), jobs_per_lease=2, lease_seconds=_LEASE_SECONDS, retry=_RETRY
        ),
        JobKind.MATRIX_CALL: one_job_per_call(call_handler(bridge), retry=_RETRY),
    }


async def read_until_stopped(platform: Platform, bridge: Bridge | None, stop: asyncio.Event) -> None:
    """Read from the homeserver until ``stop`` is set. Only one process of the community does so at a time."""
    if bridge is None:
        return
    name = platform.tenant.name
    events, read_at = _metrics(platform)

    def on_entry(number: int) -> None:
        events.labels(name, "in").inc(number)
        read_at.labels(name).set(platform.clock.now() / SECOND)

    await reader.run(bridge, stop, on_entry)


def _metrics(platform: Platform) -> tuple[Counter, Gauge]:
    return (
        platform.metrics.counter("matrix_events", "Events from and to the homeserver", ["tenant", "direction"]),
        platform.metrics.gauge(
            "matrix_read_timestamp_seconds", "Time of the last response of the homeserver", ["tenant"]
        ),
    )
