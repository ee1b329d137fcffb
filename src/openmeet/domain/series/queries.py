"""SQL for series, their followers and their stored dates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from groundwork.clock import Instant
from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import GroupOfEvent
from openmeet.domain.events.queries import record_settings_columns, record_settings_of
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import awaits_first, is_of_blocked_host, is_withheld
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.model import PublishPolicy, Series, SeriesId, SeriesSlug, SeriesStatus, Timing
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications, superseded_records
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence.pattern import Pattern, format_dates, parse_date, parse_dates
from openmeet.recurrence.rule import format_rule, parse_rule

# Hidden from everybody but its host: the series, its group or its host is withheld (``moderation.visibility``), or a
# label hides the host.
_IS_WITHHELD = is_withheld(*(f"event_series.{name}" for name in ("id", "group_id", "user_id")), is_public="1 = 0")
# Series of authors who never signed in to this site are hidden like their events: while the account is inactive, held
# back or blocked.
_IS_OF_HIDDEN_STRANGER = (
    "exists (select 1 from identities si where si.user_id = event_series.user_id and si.kind = 'shadow'"
    f" and (si.status <> 'active' or {is_of_blocked_host('si.pds_url')} or {is_withheld('si.did', is_public='1 = 1')}))"
)
_IS_HIDDEN = (
    f"({_IS_WITHHELD} or {hides_person('event_series.user_id', 'event_series.id')}"
    f" or {is_leaving('event_series.user_id')}"
    f" or (event_series.is_read_only = 1 and {_IS_OF_HIDDEN_STRANGER}))"
)
_AWAITS_MODERATOR = awaits_first("event_series.user_id")

COLUMNS = (
    "id, slug, name, description, time_zone, recurrence_rule, recurrence_exceptions, recurrence_dates, starts_local,"
    " is_all_day, duration, template, status, status_reason, publication_policy, user_id, split_from, is_read_only,"
    " revision, stored_until, deleted_at, created_at, updated_at, record_wanted, record_detail, record_announced,"
    " record_answers, record_uri, needs_author_approval, group_id, "
    + ", ".join(
        f"(select sg.{name} from groups sg where sg.id = event_series.group_id) as group_{name}"
        for name in ("visibility", "promotion_level", "announces_events")
    )
    + f", case when {_IS_HIDDEN} then 1 else 0 end as is_hidden"
    + f", case when {_AWAITS_MODERATOR} then 1 else 0 end as awaits_moderator"
)


def pattern_of(row: Row | Mapping[str, Any]) -> Pattern:
    """The pattern in a row or in the result of ``values_of``."""
    zone = row["time_zone"]
    return Pattern(
        parse_date(row["starts_local"], zone),
        zone,
        parse_rule(row["recurrence_rule"]) if row["recurrence_rule"] else None,
        tuple(parse_dates(row["recurrence_exceptions"], zone)),
        tuple(parse_dates(row["recurrence_dates"], zone)),
        is_all_day=bool(row["is_all_day"]),
    )


def series_of(row: Row) -> Series:
    """Parse a row with ``COLUMNS``."""
    pattern = pattern_of(row)
    length = None if row["duration"] is None else timedelta(seconds=row["duration"])
    rest = msgspec.json.decode(row["template"])
    content = msgspec.convert({**rest, "title": row["name"], "description": row["description"]}, Content)
    return Series(
        id=SeriesId(row["id"]),
        slug=SeriesSlug(row["slug"]),
        content=content,
        timing=Timing(pattern, length),
        status=SeriesStatus(row["status"]),
        status_reason=row["status_reason"],
        policy=PublishPolicy(row["publication_policy"]),
        owner_id=UserId(row["user_id"]),
        split_from=None if row["split_from"] is None else SeriesId(row["split_from"]),
        is_read_only=bool(row["is_read_only"]),
        revision=row["revision"],
        stored_until=Instant(row["stored_until"]),
        deleted_at=row["deleted_at"],
        created_at=Instant(row["created_at"]),
        updated_at=Instant(row["updated_at"]),
        group=None
        if row["group_id"] is None
        else GroupOfEvent(
            GroupId(row["group_id"]),
            GroupVisibility(row["group_visibility"]),
            PromotionLevel(row["group_promotion_level"]),
            announces_events=bool(row["group_announces_events"]),
        ),
        # If a newcomer's first public event is being held, only their public series are hidden.
        is_hidden=bool(row["is_hidden"] or (row["awaits_moderator"] and content.visibility is Visibility.PUBLIC)),
        record_settings=record_settings_of(row),
        record_uri=row["record_uri"],
        needs_author_approval=bool(row["needs_author_approval"]),
    )


async def by_slug(reader: Reader, slug: SeriesSlug) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where slug = :slug", slug=slug)
    return series_of(row) if row else None


async def by_id(reader: Reader, series_id: SeriesId) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where id = :id", id=series_id)
    return series_of(row) if row else None


async def by_ids(reader: Reader, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Series]:
    """Series by id, including deleted ones."""
    if not series_ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where id in :ids order by id", ids=list(dict.fromkeys(series_ids))
    )
    return {one.id: one for one in map(series_of, rows)}


async def ids_between(reader: Reader, lowest: str, highest: str) -> list[SeriesId]:
    """Ids of series in a range of ids, both ends included."""
    rows = await reader.fetch(
        "select id from event_series where id between :lowest and :highest order by id", lowest=lowest, highest=highest
    )
    return [SeriesId(row["id"]) for row in rows]


async def own_unsplit(reader: Reader, owner_id: UserId, slugs: Sequence[str]) -> list[Series]:
    """A person's series with these slugs, except those from which another series was split off."""
    if not slugs:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where slug in :slugs and user_id = :owner_id and deleted_at is null"
        " and is_read_only = 0 and not exists (select 1 from event_series o where o.split_from = event_series.id)"
        " order by id",
        slugs=sorted(set(slugs)),
        owner_id=owner_id,
    )
    return [series_of(row) for row in rows]


async def by_submission(reader: Reader, owner_id: UserId, key: str) -> tuple[Series, bytes | None] | None:
    """The series created by this form submission, and the digest of its content."""
    row = await reader.fetch_one(
        f"select {COLUMNS}, submission_digest from event_series where user_id = :owner_id and submission_key = :key",
        owner_id=owner_id,
        key=key,
    )
    return (series_of(row), row["submission_digest"]) if row else None


async def of_owner(reader: Reader, owner_id: UserId, page: Page = ALL_ROWS) -> list[Series]:
    """A person's series, newest first, without deleted ones."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where user_id = :owner_id and deleted_at is null"
        f"{page.clause('created_at', 'id')}",
        owner_id=owner_id,
        **page.values,
    )
    return [series_of(row) for row in rows]


async def followed_by(reader: Reader, user_id: UserId) -> list[Series]:
    """Series that a person follows, most recently followed first, without deleted ones."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where deleted_at is null and id in"
        " (select series_id from event_series_followers where user_id = :user_id) order by created_at desc, id desc",
        user_id=user_id,
    )
    return [series_of(row) for row in rows]


async def with_standing_rsvp_of(reader: Reader, user_id: UserId) -> list[Series]:
    """Series for which the person has a standing RSVP, newest first, without deleted ones."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where deleted_at is null and id in"
        " (select series_id from event_series_standing_rsvps where user_id = :user_id) order by created_at desc, id desc",
        user_id=user_id,
    )
    return [series_of(row) for row in rows]


async def lock(tx: Transaction, series_id: SeriesId) -> Series | None:
    """Lock the series until the transaction ends. Code that stores, moves or counts its dates holds this lock.

    Always taken before any lock on an event.
    """
    row = await tx.fetch_one(f"update event_series set id = id where id = :id returning {COLUMNS}", id=series_id)
    return series_of(row) if row else None


async def lock_each(tx: Transaction, series_ids: Sequence[SeriesId]) -> list[Series]:
    """Like ``lock``, for several series. Locks them in the order of their ids."""
    await lock_rows(tx, "event_series", "id", series_ids)
    rows = await tx.fetch(f"select {COLUMNS} from event_series where id in :ids order by id", ids=series_ids)
    return [series_of(row) for row in rows]


async def lock_by_slug(tx: Transaction, slug: SeriesSlug) -> Series | None:
    """Like ``lock``, by slug."""
    row = await tx.fetch_one(f"update event_series set id = id where slug = :slug returning {COLUMNS}", slug=slug)
    return series_of(row) if row else None


async def insert(tx: Transaction, series: Series, *, submission: tuple[str, bytes] | None) -> bool:
    """Insert a row. ``submission`` is the submission key and the digest of the content.

    Returns False if a series was already created with this key.
    """
    key, digest = submission or (None, None)
    values = {**values_of(series), "submission_key": key, "submission_digest": digest}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    await enqueue_record(tx, series)
    made = await tx.execute(
        f"insert into event_series ({names}) values ({marks}) on conflict (user_id, submission_key) do nothing",
        **values,
    )
    return made == 1


async def update(tx: Transaction, series: Series) -> None:
    """Write every column of a row that the caller has locked, except its identity."""
    values = values_of(series)
    fixed = {"id", "slug", "created_at", "split_from", "record_uri"}
    await _keep_former_times(tx, series.id, values)
    sets = ", ".join(f"{name} = :{name}" for name in values if name not in fixed)
    await tx.execute(
        f"update event_series set {sets} where id = :id",
        **{name: value for name, value in values.items() if name not in fixed or name == "id"},
    )


async def set_slug(tx: Transaction, series_id: SeriesId, slug: SeriesSlug) -> None:
    """Set the slug of a locked series."""
    await tx.execute("update event_series set slug = :slug where id = :id", id=series_id, slug=slug)


async def save(tx: Transaction, after: Series, *, publishes: bool = True) -> Series:
    """Save the next revision of a locked series. ``publishes``: False if its record already has the changes."""
    saved = replace(after, revision=after.revision + 1, updated_at=tx.now)
    await update(tx, saved)
    if publishes:
        await enqueue_record(tx, saved)
    return saved


async def enqueue_record(tx: Transaction, series: Series) -> None:
    """Enqueue the series' record. For copies and detected series nothing is published.

    If a detected series was accepted for a while, the record from that time is enqueued for deletion.
    """
    if series.is_read_only:
        await publications.delete_without_record(tx, kind=PublicationKind.SERIES, subject_ids=[series.id])
        await publications.make_due(tx, kind=PublicationKind.SERIES, subject_ids=[series.id])
    else:
        await publications.enqueue(
            tx, kind=PublicationKind.SERIES, subject_id=series.id, user_id=series.owner_id, revision=series.revision
        )


async def restore(tx: Transaction, series: Series, values: Mapping[str, Any]) -> None:
    """Restore a locked row from the result of ``values_of``. Its revision still increases."""
    restored_values = {
        name: value
        for name, value in values.items()
        if name not in {"id", "slug", "created_at", "stored_until", "record_uri"}
    }
    restored_values |= {"revision": series.revision + 1, "updated_at": tx.now}
    await _keep_former_times(tx, series.id, restored_values)
    sets = ", ".join(f"{name} = :{name}" for name in restored_values)
    await tx.execute(f"update event_series set {sets} where id = :id", **restored_values, id=series.id)
    await enqueue_record(tx, replace(series, revision=series.revision + 1))


async def _keep_former_times(tx: Transaction, series_id: SeriesId, values: Mapping[str, Any]) -> None:
    """If these values change the rule of a locked row, store the old rule, so that old links to dates keep working
    (``event_series_former_rules``), and the identities of its dates in calendar files (``calendar_uids``).

    Copies without a rule have only stored dates and need no rule.
    """
    await calendar_uids.retire_dates(tx, series_id, values["time_zone"], is_all_day=bool(values["is_all_day"]))
    columns = "starts_local, time_zone, recurrence_rule, recurrence_exceptions, recurrence_dates, is_all_day"
    await tx.execute(
        f"""
        insert into event_series_former_rules (series_id, revision, {columns}, left_at)
        select id, revision, {columns}, :now from event_series
         where id = :id and (is_read_only = 0 or recurrence_rule <> '')
           and (starts_local <> :starts_local or time_zone <> :time_zone or recurrence_rule <> :recurrence_rule
                or is_all_day <> :is_all_day)
            on conflict (series_id, revision) do nothing
        """,
        id=series_id,
        now=tx.now,
        **{name: values[name] for name in ("starts_local", "time_zone", "recurrence_rule", "is_all_day")},
    )


async def revisions(reader: Reader, series_ids: Sequence[SeriesId]) -> dict[SeriesId, int]:
    rows = await reader.fetch(
        "select id, revision from event_series where id in :ids order by id", ids=list(series_ids)
    )
    return {SeriesId(row["id"]): row["revision"] for row in rows}


async def by_record_uri(reader: Reader, uri: str) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where record_uri = :uri", uri=uri)
    return series_of(row) if row else None


async def set_record(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """Set the URI of the series' record. None: it has no record."""
    await tx.execute("update event_series set record_uri = :uri where id = :id", uri=uri, id=series_id)


async def behind_window(reader: Reader, until: Instant, after: Position, limit: int) -> list[tuple[int, SeriesId]]:
    """Active series whose dates are not stored up to this time, the furthest behind first: until when they are, and id."""
    rows = await reader.fetch(
        "select stored_until, id from event_series where status = 'active' and deleted_at is null"
        " and stored_until < :until and (stored_until, id) > (cast(:after_at as bigint), :after_id)"
        " order by stored_until, id limit :limit",
        until=until,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["stored_until"]), SeriesId(row["id"])) for row in rows]


async def set_stored_until(tx: Transaction, series_ids: Sequence[SeriesId], until: Instant) -> None:
    """Set how far ahead the scheduler has stored dates. Does not increase the revision of the series."""
    await tx.execute("update event_series set stored_until = :until where id in :ids", until=until, ids=series_ids)


def values_of(series: Series) -> dict[str, Any]:
    """All columns of a series' row by name."""
    pattern, content = series.timing.pattern, series.content
    rest = msgspec.to_builtins(content)
    return {
        "id": series.id,
        "slug": series.slug,
        "name": rest.pop("title"),
        "description": rest.pop("description"),
        "time_zone": series.zone_name,
        "recurrence_rule": "" if pattern.rule is None else format_rule(pattern.rule),
        "recurrence_exceptions": format_dates(pattern.left_out, is_all_day=pattern.is_all_day),
        "recurrence_dates": format_dates(pattern.added, is_all_day=pattern.is_all_day),
        "starts_local": original_text(pattern.start),
        "is_all_day": int(pattern.is_all_day),
        "duration": None if series.timing.length is None else round(series.timing.length.total_seconds()),
        "template": msgspec.json.encode(rest).decode(),
        "status": series.status.value,
        "status_reason": series.status_reason,
        "publication_policy": series.policy.value,
        "user_id": series.owner_id,
        "split_from": series.split_from,
        "is_read_only": int(series.is_read_only),
        "revision": series.revision,
        "stored_until": series.stored_until,
        "deleted_at": series.deleted_at,
        "created_at": series.created_at,
        "updated_at": series.updated_at,
        "group_id": None if series.group is None else series.group.id,
        **record_settings_columns(series.record_settings),
        "record_uri": series.record_uri,
        "needs_author_approval": int(series.needs_author_approval),
    }


async def find(reader: Reader, uri: str) -> Series | None:
    """The series that this record belongs or belonged to."""
    series = await by_record_uri(reader, uri)
    former = None if series is not None else await superseded_records.find(reader, uri)
    if former is None or former.kind is not PublicationKind.SERIES:
        return series
    return await by_id(reader, SeriesId(former.subject_id))
