"""Values of account deletion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, Instant

# The last e-mail to a person who deletes their account. Its subject is the time of the request.
DELETION_MAIL: Final = "account_deletion"
# How long before the deletion a person's hosting ends, so that account servers have time to remove records, even if
# they are down for a while.
ENDS_BEFORE: Final = 2 * DAY
# Maximum number of events listed in the preview.
MAX_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class HostedEvent:
    """An upcoming event of the person. ``heir`` is the name of the person who takes it over, None if it is cancelled.
    ``is_soon`` is True if it begins within the grace period, in which case this happens at once.
    """

    title: str
    slug: str
    starts_at: Instant | None
    heir: str | None
    is_soon: bool


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """The consequences of deleting an account. ``out_of_reach`` has the URIs of records that we cannot delete, because
    their account server no longer accepts our authorization.
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
    """Result of a person's deletion. ``deleted``: number of rows by table. ``left``: URIs of records that could not be
    retracted. ``accounts``: DIDs or handles of custodial accounts whose deletion is enqueued. ``is_at_homeserver``: a
    Matrix homeserver still has data.
    """

    deleted: Mapping[str, int]
    left: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    is_at_homeserver: bool = False
