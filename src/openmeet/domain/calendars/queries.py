"""SQL for subscribed calendars and personal feeds. Every statement is restricted to the owner."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import decode_explanation
from openmeet.domain.calendars.model import (
    CalendarId,
    ExcludedEvent,
    FeedFailure,
    FeedHealth,
    ReadDate,
    SubscribedCalendar,
)
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.recurrence.wall_time import is_zone

_COLUMNS = (
    "c.id, c.user_id, c.name, c.host, c.health, c.reason, c.problem, c.failures, c.is_busy, c.tone, c.is_shown, "
    "c.fetched_at, c.changed_at, c.next_fetch_at, c.created_at, (select count(*) from subscribed_dates d "
    "where d.calendar_id = c.id) as dates"
)


@dataclass(frozen=True, slots=True)
class Address:
    """The URL, validators and last content of a subscribed calendar, which are needed to fetch or parse it again."""

    id: CalendarId
    user_id: UserId
    url_sealed: bytes | None
    etag: str
    last_modified: str
    failures: int
    content: bytes
    health: FeedHealth


def _subscribed(row: Row) -> SubscribedCalendar:
    return SubscribedCalendar(
        id=CalendarId(row["id"]),
        user_id=UserId(row["user_id"]),
        name=row["name"],
        host=row["host"],
        health=FeedHealth(row["health"]),
        reason=FeedFailure(row["reason"]) if row["reason"] else None,
        problem=decode_explanation(row["problem"]),
        failures=row["failures"],
        is_busy=bool(row["is_busy"]),
        tone=row["tone"],
        is_shown=bool(row["is_shown"]),
        dates=row["dates"],
        fetched_at=row["fetched_at"],
        changed_at=row["changed_at"],
        next_fetch_at=row["next_fetch_at"],
        created_at=row["created_at"],
    )


async def of_person(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[SubscribedCalendar]:
    """A person's calendars, oldest first."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from subscribed_calendars c"
        f" where c.user_id = :user_id{page.clause('c.created_at', 'c.id', newest_first=False)}",
        user_id=user_id,
        **page.values,
    )
    return [_subscribed(row) for row in rows]


async def find(reader: Reader, user_id: UserId, calendar_id: CalendarId) -> SubscribedCalendar | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from subscribed_calendars c where c.user_id = :user_id and c.id = :id",
        user_id=user_id,
        id=calendar_id,
    )
    return _subscribed(row) if row else None


async def by_digest(reader: Reader, user_id: UserId, digest: bytes) -> SubscribedCalendar | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from subscribed_calendars c where c.user_id = :user_id and c.digest = :digest",
        user_id=user_id,
        digest=digest,
    )
    return _subscribed(row) if row else None


@dataclass(frozen=True, slots=True)
class OldDigest:
    """A calendar whose digest is from before there was a key. ``url_sealed``: None if it is a file."""

    id: CalendarId
    user_id: UserId
    url_sealed: bytes | None
    digest: bytes


# Bytes of a digest from before there was a key. Newer ones are longer.
_OLD_DIGEST = 32


async def old_digests(reader: Reader, *, after: CalendarId, limit: int) -> list[OldDigest]:
    """Calendars whose digest is from before there was a key, from an id on, ordered by id."""
    rows = await reader.fetch(
        "select id, user_id, url_sealed, digest from subscribed_calendars where length(digest) = :length "
        "and id > :after order by id limit :limit",
        length=_OLD_DIGEST,
        after=after,
        limit=limit,
    )
    return [OldDigest(CalendarId(row["id"]), UserId(row["user_id"]), row["url_sealed"], row["digest"]) for row in rows]


async def content_of(reader: Reader, calendar_id: CalendarId) -> bytes:
    """The file of a calendar, as last fetched or uploaded; empty if there is none."""
    row = await reader.fetch_one("select content from subscribed_calendars where id = :id", id=calendar_id)
    return b"" if row is None or row["content"] is None else bytes(row["content"])


async def replace_digest(tx: Transaction, old: OldDigest, digest: bytes) -> bool:
    """False if the calendar was removed meanwhile."""
    changed = await tx.execute(
        "update subscribed_calendars set digest = :digest where id = :id and user_id = :user_id and digest = :before",
        digest=digest,
        id=old.id,
        user_id=old.user_id,
        before=old.digest,
    )
    return changed == 1


@dataclass(frozen=True, slots=True)
class NewCalendar:
    """A calendar to be stored. ``digest`` is the digest of its address, or of the bytes of a file; a person has one
    calendar for each. ``url_sealed`` and ``next_fetch_at`` are None for a file. Its dates are stored until
    ``dates_until``.
    """

    id: CalendarId
    user_id: UserId
    name: str
    host: str
    tone: int
    health: FeedHealth
    url_sealed: bytes | None
    digest: bytes
    content: bytes
    etag: str
    last_modified: str
    next_fetch_at: Instant | None
    dates_until: Instant


async def insert(tx: Transaction, new: NewCalendar) -> None:
    """Insert a calendar that the person does not have yet."""
    await tx.execute(
        """
        insert into subscribed_calendars (id, user_id, name, host, health, problem, failures, is_busy, tone, url_sealed,
            digest,
                                          content, etag, last_modified, fetched_at, changed_at, next_fetch_at,
                                          dates_until, created_at)
        values (:id, :user_id, :name, :host, :health, '', 0, 1, :tone, :url_sealed, :digest, :content, :etag,
            :last_modified,
                :now, :now, :next_fetch_at, :dates_until, :now)
        """,
        id=new.id,
        user_id=new.user_id,
        name=new.name,
        host=new.host,
        tone=new.tone,
        health=new.health.value,
        url_sealed=new.url_sealed,
        digest=new.digest,
        content=new.content,
        etag=new.etag,
        last_modified=new.last_modified,
        next_fetch_at=new.next_fetch_at,
        dates_until=new.dates_until,
        now=tx.now,
    )


async def edit(tx: Transaction, user_id: UserId, calendar_id: CalendarId, *, name: str, is_busy: bool) -> bool:
    changed = await tx.execute(
        "update subscribed_calendars set name = :name, is_busy = :is_busy where user_id = :user_id and id = :id",
        name=name,
        is_busy=int(is_busy),
        user_id=user_id,
        id=calendar_id,
    )
    return changed == 1


async def set_shown(tx: Transaction, user_id: UserId, calendar_id: CalendarId, *, is_shown: bool) -> bool:
    changed = await tx.execute(
        "update subscribed_calendars set is_shown = :is_shown where user_id = :user_id and id = :id",
        is_shown=int(is_shown),
        user_id=user_id,
        id=calendar_id,
    )
    return changed == 1


async def set_tone(tx: Transaction, user_id: UserId, calendar_id: CalendarId, tone: int) -> None:
    await tx.execute(
        "update subscribed_calendars set tone = :tone where user_id = :user_id and id = :id",
        tone=tone,
        user_id=user_id,
        id=calendar_id,
    )


async def delete(tx: Transaction, user_id: UserId, calendar_id: CalendarId) -> bool:
    gone = await tx.execute(
        "delete from subscribed_calendars where user_id = :user_id and id = :id", user_id=user_id, id=calendar_id
    )
    return gone == 1


async def put_dates(
    tx: Transaction, calendar_id: CalendarId, user_id: UserId, dates: Sequence[ReadDate], until: Instant
) -> None:
    """Replace the calendar's dates. Does nothing if the calendar was removed in the meantime."""
    updated = await tx.execute(
        "update subscribed_calendars set dates_until = :until where id = :id", until=until, id=calendar_id
    )
    if updated == 0:
        return
    await tx.execute("delete from subscribed_dates where calendar_id = :id", id=calendar_id)
    await tx.execute_many(
        """
        insert into subscribed_dates (calendar_id, number, user_id, title, place, starts_at, ends_at, time_zone,
                                      is_all_day, is_cancelled)
        values (:calendar_id, :number, :user_id, :title, :place, :starts_at, :ends_at, :time_zone, :is_all_day,
                :is_cancelled)
        """,
        [
            {
                "calendar_id": calendar_id,
                "number": number,
                "user_id": user_id,
                "title": one.title,
                "place": one.place,
                "starts_at": one.starts_at,
                "ends_at": one.ends_at,
                "time_zone": one.time_zone,
                "is_all_day": int(one.is_all_day),
                "is_cancelled": int(one.is_cancelled),
            }
            for number, one in enumerate(dates)
        ],
    )


async def claim_due(tx: Transaction, limit: int, until: Instant) -> list[Address]:
    """Claim calendars that are due for fetching. No other worker gets them before ``until``."""
    rows = await tx.fetch(
        "select id from subscribed_calendars where next_fetch_at <= :now order by next_fetch_at, id limit :limit",
        now=tx.now,
        limit=limit,
    )
    claimed = []
    for row in rows:
        taken = await tx.fetch_one(
            f"update subscribed_calendars set next_fetch_at = :until where id = :id and next_fetch_at <= :now"
            f" returning {_ADDRESS}",
            until=until,
            id=row["id"],
            now=tx.now,
        )
        if taken is not None:
            claimed.append(_address(taken))
    return claimed


async def address(reader: Reader, user_id: UserId, calendar_id: CalendarId) -> Address | None:
    row = await reader.fetch_one(
        f"select {_ADDRESS} from subscribed_calendars where user_id = :user_id and id = :id",
        user_id=user_id,
        id=calendar_id,
    )
    return _address(row) if row else None


async def lock(tx: Transaction, calendar_id: CalendarId) -> Address | None:
    """Return the calendar, locked until the transaction ends."""
    row = await tx.fetch_one(
        f"update subscribed_calendars set id = id where id = :id returning {_ADDRESS}", id=calendar_id
    )
    return _address(row) if row else None


async def running_out(reader: Reader, before: Instant, limit: int) -> list[Address]:
    """Calendars whose stored window ends soon."""
    rows = await reader.fetch(
        f"select {_ADDRESS} from subscribed_calendars where dates_until < :before order by dates_until, id limit :limit",
        before=before,
        limit=limit,
    )
    return [_address(row) for row in rows]


async def note_fetched(
    tx: Transaction,
    calendar_id: CalendarId,
    *,
    content: bytes | None,
    etag: str,
    last_modified: str,
    next_fetch_at: Instant,
) -> None:
    """Record a successful fetch. ``content`` is None if nothing has changed."""
    await tx.execute(
        """
        update subscribed_calendars
           set health = 'fresh', reason = '', problem = '', failures = 0, fetched_at = :now, etag = :etag,
               last_modified = :last_modified, next_fetch_at = :next_fetch_at,
               content = coalesce(:content, content),
               changed_at = case when :has_content = 1 then :now else changed_at end
         where id = :id
        """,
        id=calendar_id,
        now=tx.now,
        content=content,
        has_content=int(content is not None),
        etag=etag,
        last_modified=last_modified,
        next_fetch_at=next_fetch_at,
    )


async def note_failed(
    tx: Transaction,
    calendar_id: CalendarId,
    *,
    health: FeedHealth,
    reason: FeedFailure,
    problem: str,
    next_fetch_at: Instant | None,
) -> None:
    await tx.execute(
        """
        update subscribed_calendars
           set health = :health, reason = :reason, problem = :problem, failures = failures + 1,
               next_fetch_at = :next_fetch_at
         where id = :id
        """,
        id=calendar_id,
        health=health.value,
        reason=reason.value,
        problem=problem,
        next_fetch_at=next_fetch_at,
    )


async def postpone(tx: Transaction, calendar_id: CalendarId, next_fetch_at: Instant) -> None:
    """Retry later without recording a failure, because the calendar is not the cause."""
    await tx.execute(
        "update subscribed_calendars set next_fetch_at = :at where id = :id and next_fetch_at is not null",
        at=next_fetch_at,
        id=calendar_id,
    )


async def keep_dates(
    tx: Transaction, calendar_id: CalendarId, until: Instant, reason: FeedFailure, problem: str
) -> None:
    """Keep the stored dates and record why they cannot be expanded again. ``until`` is the new end of the stored
    window.
    """
    await tx.execute(
        "update subscribed_calendars set dates_until = :until, reason = :reason, problem = :problem where id = :id",
        until=until,
        reason=reason.value,
        problem=problem,
        id=calendar_id,
    )


async def excluded_event(reader: Reader, slug: str) -> ExcludedEvent | None:
    """Identity of the event with this slug. Visibility is not checked, because the event is only excluded from
    conflicts.
    """
    row = await reader.fetch_one("select id, title, starts_at from events where slug = :slug", slug=slug)
    return ExcludedEvent(row["id"], row["title"], row["starts_at"]) if row else None


async def feed_serial(tx: Transaction, user_id: UserId) -> int:
    """Serial of this person's valid feed address. Creates the first one."""
    row = await tx.fetch_one(
        """
        insert into calendar_feeds (user_id, serial, token_hash, created_at) values (:user_id, 1, null, :now)
            on conflict (user_id) do update set serial = calendar_feeds.serial returning serial
        """,
        user_id=user_id,
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # inserted or updated
    return int(row["serial"])


async def set_feed(tx: Transaction, user_id: UserId, serial: int, token_hash: bytes | None) -> None:
    await tx.execute(
        "update calendar_feeds set serial = :serial, token_hash = :token_hash where user_id = :user_id",
        serial=serial,
        token_hash=token_hash,
        user_id=user_id,
    )


async def feed_of(reader: Reader, user_id: UserId) -> tuple[int, bytes] | None:
    """Serial and hash of this person's valid feed address."""
    row = await reader.fetch_one(
        "select serial, token_hash from calendar_feeds where user_id = :user_id and token_hash is not null",
        user_id=user_id,
    )
    return None if row is None else (int(row["serial"]), bytes(row["token_hash"]))


async def feed_owner(reader: Reader, token_hash: bytes) -> UserId | None:
    """The person whose calendar this token opens. None while they are deleting their account."""
    row = await reader.fetch_one(
        f"select user_id from calendar_feeds where token_hash = :hash and not {is_leaving('calendar_feeds.user_id')}",
        hash=token_hash,
    )
    return UserId(row["user_id"]) if row else None


# In order: the zone that the person chose, the zone of the event that they created last, the zone of the event that
# they answered last.
_ZONES = (
    "select time_zone from users where id = :user_id",
    """
    select time_zone from events where author_id = :user_id and deleted_at is null
     order by created_at desc, id desc limit 1
    """,
    """
    select e.time_zone from attendances a join events e on e.id = a.event_id
     where a.user_id = :user_id order by a.created_at desc, a.id desc limit 1
    """,
)


async def zone_of_person(reader: Reader, user_id: UserId, default: str) -> str:
    """The time zone in which to show a person days and times. ``default`` is returned for people who have not chosen a
    zone and have not created or answered any event.
    """
    for statement in _ZONES:
        row = await reader.fetch_one(statement, user_id=user_id)
        if row is not None and row["time_zone"]:
            return row["time_zone"] if is_zone(row["time_zone"]) else "UTC"
    return default


_ADDRESS = "id, user_id, url_sealed, etag, last_modified, failures, content, health"


def _address(row: Row) -> Address:
    return Address(
        CalendarId(row["id"]),
        UserId(row["user_id"]),
        row["url_sealed"],
        row["etag"],
        row["last_modified"],
        row["failures"],
        row["content"],
        FeedHealth(row["health"]),
    )
