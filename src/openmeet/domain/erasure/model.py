"""Values of the deletion of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, Instant

# The last e-mail to somebody who deletes their account; the subject is when they asked for it.
DELETION_MAIL: Final = "account_deletion"
# Before the end, so that account servers have time to take records back, and can be away for a while.
ENDS_BEFORE: Final = 2 * DAY
# Where the grace period is shorter than twice that.
MOST_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class HostedEvent:
    """An upcoming event of the person. ``heir``: the name of who takes it over; None: it is cancelled.
    ``is_soon``: it begins within the grace period, so this happens at once.
    """

    title: str
    slug: str
    starts_at: Instant | None
    heir: str | None
    is_soon: bool


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """What happens if the person deletes their account. ``out_of_reach``: addresses of records that we cannot delete,
    because their account server no longer lets us in.
    """

    due_at: Instant
    events: tuple[HostedEvent, ...]
    more_events: int
    groups_passed: int
    groups_deleted: int
    answers: int
    memberships: int
    records: int
    out_of_reach: tuple[str, ...]
    has_custodial_account: bool


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What the deletion of a person did. ``deleted``: rows by table. ``left``: addresses of records that could not be
    retracted. ``accounts``: DIDs or handles of custodial accounts whose deletion is enqueued. ``is_at_homeserver``: a
    Matrix homeserver still has something.
    """

    deleted: Mapping[str, int]
    left: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    is_at_homeserver: bool = False
