"""Publishing preferences in addition to the consent: which records, how to show declined and waitlisted RSVPs, and
edits by co-hosts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.row_lock import lock_row
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import PreconditionFailed
from groundwork.uuid7 import new_id
from openmeet.domain.identities.model import IdentityReason
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_rechecks


class DeclinedAs(StrEnum):
    """The form of the RSVP record of a person who declines."""

    NOT_GOING = "notgoing"
    NOTHING = "nothing"


class WaitingAs(StrEnum):
    """The form of the RSVP record of a person who is on the waitlist or awaits approval."""

    NOTHING = "nothing"
    INTERESTED = "interested"


@dataclass(frozen=True, slots=True)
class PublishingPreferences:
    """The publishing preferences of a person who consented.

    ``lets_co_hosts_publish``: edits by co-hosts are also written to the author's records. Each such edit is logged.
    """

    writes_events: bool = True
    writes_answers: bool = True
    declined_as: DeclinedAs = DeclinedAs.NOT_GOING
    waiting_as: WaitingAs = WaitingAs.NOTHING
    lets_co_hosts_publish: bool = False
    revision: int = 0


DEFAULT_PREFERENCES: Final = PublishingPreferences()


@dataclass(frozen=True, slots=True)
class PermissionRevision:
    """The consent and the preferences of one person, as a decision to publish found them."""

    user_id: UserId
    is_given: bool
    consent_revision: int
    preferences_revision: int


@dataclass(frozen=True, slots=True)
class ShownCoHostEdit:
    """A co-host's edit with the names to show: who (empty if that person has left), in which event, when."""

    name: str
    title: str
    slug: str
    at: Instant


_COLUMNS = "writes_events, writes_answers, declined_as, waiting_as, lets_co_hosts_publish, revision"

_FIND = f"select {_COLUMNS} from record_preferences where user_id = :user_id"

_PERMISSIONS = """
    select c.user_id, c.publishing, c.revision, coalesce(p.revision, 0) as preferences_revision
      from consents c left join record_preferences p on p.user_id = c.user_id
     where c.user_id in :user_ids
"""
_LOCK_CONSENTS = "select user_id from consents where user_id in :user_ids order by user_id for {}"

# The revision check is part of the statement, so the second of two concurrent changes fails.
_PUT = """
    insert into record_preferences (user_id, writes_events, writes_answers, declined_as, waiting_as, lets_co_hosts_publish,
                                    revision, updated_at)
    values (:user_id, :writes_events, :writes_answers, :declined_as, :waiting_as, :lets_co_hosts_publish, 1, :now)
        on conflict (user_id) do update
       set writes_events = excluded.writes_events, writes_answers = excluded.writes_answers,
           declined_as = excluded.declined_as, waiting_as = excluded.waiting_as,
           lets_co_hosts_publish = excluded.lets_co_hosts_publish, revision = record_preferences.revision + 1,
           updated_at = excluded.updated_at
     where cast(:expected as bigint) is null or record_preferences.revision = :expected
    returning revision
"""

_INSERT_CO_HOST_EDIT = """
    insert into co_host_publications (id, author_id, co_host_id, event_id, revision, created_at)
    values (:id, :author_id, :co_host_id, :event_id, :revision, :now)
"""

_SHOWN_CO_HOST_EDITS = f"""
    select case when {is_leaving("u.id")} then '' else u.display_name end as name, e.title, e.slug, c.created_at
      from co_host_publications c join events e on e.id = c.event_id left join users u on u.id = c.co_host_id
     where c.author_id = :author_id order by c.created_at desc, c.id desc limit :limit
"""


async def of_user(reader: Reader, user_id: UserId) -> PublishingPreferences:
    """The user's preferences; defaults if they never chose."""
    row = await reader.fetch_one(_FIND, user_id=user_id)
    if row is None:
        return DEFAULT_PREFERENCES
    return PublishingPreferences(
        writes_events=bool(row["writes_events"]),
        writes_answers=bool(row["writes_answers"]),
        declined_as=DeclinedAs(row["declined_as"]),
        waiting_as=WaitingAs(row["waiting_as"]),
        lets_co_hosts_publish=bool(row["lets_co_hosts_publish"]),
        revision=row["revision"],
    )


async def permissions_of(reader: Reader, user_ids: Collection[UserId]) -> frozenset[PermissionRevision]:
    """Return the current permission of each of these people who was ever asked."""
    return frozenset(
        PermissionRevision(
            UserId(row["user_id"]), bool(row["publishing"]), row["revision"], row["preferences_revision"]
        )
        for row in await reader.fetch(_PERMISSIONS, user_ids=sorted(user_ids))
    )


async def lock_permissions(tx: Transaction, permissions: Collection[PermissionRevision]) -> bool:
    """Lock these permissions, so that none is changed until the transaction ends. Returns False if one has changed.

    Whoever withdraws a permission changes it before they look for the publications that it concerns, so they find what
    this transaction stores. The ones that they do not find, because another transaction is just inserting them, are
    sent only after this check.
    """
    user_ids = sorted({one.user_id for one in permissions})
    if not user_ids:
        return True
    if tx.engine != "sqlite":
        await tx.fetch(_LOCK_CONSENTS.format("share"), user_ids=user_ids)
    return await permissions_of(tx, user_ids) == frozenset(permissions)


async def lock_consents(tx: Transaction, user_ids: Collection[UserId]) -> None:
    """Lock the consents of these people, to give them to another person. Call it before groups or publications are
    locked, because ``lock_permissions`` comes before these, too.
    """
    if tx.engine != "sqlite":
        await tx.fetch(_LOCK_CONSENTS.format("update"), user_ids=list(user_ids))


async def change(
    tx: Transaction, user_id: UserId, preferences: PublishingPreferences, *, expected_revision: int | None = None
) -> PublishingPreferences:
    """Replace the preferences and enqueue the user's records for review. Raises PreconditionFailed."""
    # Lock the consent, as ``lock_permissions`` does, because there may be no row of preferences yet.
    await lock_row(tx, "consents", "user_id", user_id)
    row = await tx.fetch_one(
        _PUT,
        user_id=user_id,
        writes_events=int(preferences.writes_events),
        writes_answers=int(preferences.writes_answers),
        declined_as=preferences.declined_as,
        waiting_as=preferences.waiting_as,
        lets_co_hosts_publish=int(preferences.lets_co_hosts_publish),
        expected=expected_revision or None,
        now=tx.now,
    )
    if row is None or (expected_revision == 0 and row["revision"] != 1):
        raise PreconditionFailed(IdentityReason.CHANGED_SINCE_OPENED)
    await publication_rechecks.make_all_due_of(tx, user_id)
    return await of_user(tx, user_id)


async def permit_co_host_edit(
    tx: Transaction, author_id: UserId, co_host_id: UserId, event_id: str, revision: int
) -> bool:
    """Return whether a co-host's edit may be written to the author's repository, and log it if so."""
    return await permit_co_host_edits(tx, author_id, co_host_id, [(event_id, revision)])


async def permit_co_host_edits(
    tx: Transaction, author_id: UserId, co_host_id: UserId, revisions: Sequence[tuple[str, int]]
) -> bool:
    """Like ``permit_co_host_edit``, for several events of one author, given as (event id, revision)."""
    if not (await of_user(tx, author_id)).lets_co_hosts_publish:
        return False
    await tx.execute_many(
        _INSERT_CO_HOST_EDIT,
        [
            {
                "id": new_id(tx.now),
                "author_id": author_id,
                "co_host_id": co_host_id,
                "event_id": event_id,
                "revision": revision,
                "now": tx.now,
            }
            for event_id, revision in revisions
        ],
    )
    return True


async def co_host_edits_shown(reader: Reader, author_id: UserId, *, limit: int = 20) -> list[ShownCoHostEdit]:
    """Co-host edits in this user's repository, newest first, with the names to show."""
    rows = await reader.fetch(_SHOWN_CO_HOST_EDITS, author_id=author_id, limit=limit)
    return [ShownCoHostEdit(row["name"] or "", row["title"], row["slug"], Instant(row["created_at"])) for row in rows]
