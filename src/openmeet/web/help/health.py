"""Status of the site for everyone: e-mails and publications that are late."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from groundwork.outbox.jobs import JobState
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationState

# Retries and short outages take minutes.
LATE: Final = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class PartHealth:
    """``late_since``: when the oldest item was due; None if nothing is late."""

    late_since: Instant | None


@dataclass(frozen=True, slots=True)
class SiteHealth:
    """Whether ``emails`` and ``sync`` are on time."""

    now: Instant
    emails: PartHealth
    sync: PartHealth

    @property
    def is_well(self) -> bool:
        return self.emails.late_since is None and self.sync.late_since is None


async def site_health(reader: Reader) -> SiteHealth:
    """Jobs and records that failed are not counted: they concern one person, and operators have their own page."""
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
    return SiteHealth(reader.now, _part(mail["oldest"]), _part(records["oldest"]))


def _part(oldest: int | None) -> PartHealth:
    return PartHealth(None if oldest is None else Instant(oldest))
