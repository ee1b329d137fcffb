"""Public status of the site: whether e-mails, publications and reading from other servers are late."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from groundwork.outbox.jobs import JobState
from openmeet.network.status import reading_late_since
from openmeet.network.sync_dependencies import SyncDependencies
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationState

# Retries and short outages take only minutes.
LATE: Final = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class PartHealth:
    """The health of one part of the site. ``late_since`` is the time at which the oldest overdue item was due. None if
    nothing is overdue.
    """

    late_since: Instant | None


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """Whether ``emails``, ``sync`` and ``reading`` are on time. ``reading`` is None if the site does not read from
    other servers.
    """

    now: Instant
    emails: PartHealth
    sync: PartHealth
    reading: PartHealth | None = None

    @property
    def is_well(self) -> bool:
        parts = [self.emails, self.sync, *([] if self.reading is None else [self.reading])]
        return all(one.late_since is None for one in parts)


async def reading_health(sync_dependencies: SyncDependencies | None) -> PartHealth | None:
    """Whether data from other servers arrives on time."""
    return None if sync_dependencies is None else PartHealth(await reading_late_since(sync_dependencies, LATE))


async def site_health(reader: Reader, reading: PartHealth | None = None) -> SiteHealth:
    """The health of the site. Failed jobs and records are not counted: each concerns one person, and operators see them
    on their own page.
    """
    (mail,) = await reader.fetch(
        "select min(due_at) as oldest from outbox_jobs where kind = :kind and state = :state and due_at < :late",
        kind=JobKind.MAIL,
        state=JobState.DUE,
        late=reader.now - LATE,
    )
    (records,) = await reader.fetch(
        "select min(due_at) as oldest from publications where state = :state and due_at < :late",
        state=PublicationState.DUE,
        late=reader.now - LATE,
    )
    return SiteHealth(reader.now, _part_health(mail["oldest"]), _part_health(records["oldest"]), reading)


def _part_health(oldest: int | None) -> PartHealth:
    return PartHealth(None if oldest is None else Instant(oldest))
