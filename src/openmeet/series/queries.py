"""All SQL of series and their followers, and reading the dates that are stored as events."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.debts import publications
from openmeet.debts.publications import Kind
from openmeet.events.model import Event, EventId, GroupOfEvent, Visibility
from openmeet.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.events.queries import event_of, record_columns, record_settings_of
from openmeet.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.moderation.labels import hides_person
from openmeet.moderation.standing import awaits_first, is_withheld
from openmeet.recurrence.pattern import Pattern, format_dates, parse_date, parse_dates
from openmeet.recurrence.rule import format_rule, parse_rule
from openmeet.series import former_places
from openmeet.series.dates import original_text
from openmeet.series.model import (
    Held,
    Policy,
    Series,
    SeriesId,
    SeriesSlug,
    SeriesStatus,
    Template,
    Timing,
)
from openmeet.site.paging import WHOLE, Page
from openmeet.users.model import UserId

# Shown to nobody but its host: it, its group, or who hosts it is withheld (``moderation.standing``), or a label hides that one.
_IS_WITHHELD = is_withheld(*(f"event_series.{name}" for name in ("id", "group_id", "user_id")), is_public="1 = 0")
_IS_HIDDEN = f"({_IS_WITHHELD} or {hides_person('event_series.user_id', 'event_series.id')})"
_AWAITS_MODERATOR = awaits_first("event_series.user_id")

COLUMNS = (
    "id, slug, name, description, time_zone, recurrence_rule, recurrence_exceptions, recurrence_dates, starts_local,"
    " is_all_day, duration, template, status, status_reason, publication_policy, user_id, split_from, is_read_only,"
    " revision, stored_until, deleted_at, created_at, updated_at, record_wanted, record_detail, record_announced,"
    " record_answers, record_uri, awaits_owner, group_id, "
    + ", ".join(
        f"(select sg.{name} from groups sg where sg.id = event_series.group_id) as group_{name}"
        for name in ("visibility", "promotion_level", "announces_events")
    )
    + f", case when {_IS_HIDDEN} then 1 else 0 end as is_hidden"
    + f", case when {_AWAITS_MODERATOR} then 1 else 0 end as awaits_moderator"
)

# Answers that a change of the rule must not lose; a refusal or a plain invitation is none.
_COUNTED = "('attending', 'interested', 'pending', 'waitlisted', 'attended')"


def pattern_of(row: Row | Mapping[str, Any]) -> Pattern:
    """When a series meets, of a row or of what ``values_of`` says."""
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
    """The model value of a row that has ``COLUMNS``."""
    pattern = pattern_of(row)
    length = None if row["duration"] is None else timedelta(seconds=row["duration"])
    rest = msgspec.json.decode(row["template"])
    template = msgspec.convert({**rest, "title": row["name"], "description": row["description"]}, Template)
    return Series(
        id=SeriesId(row["id"]),
        slug=SeriesSlug(row["slug"]),
        template=template,
        timing=Timing(pattern, length),
        status=SeriesStatus(row["status"]),
        status_reason=row["status_reason"],
        policy=Policy(row["publication_policy"]),
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
        # Who waits for their first public event keeps what is not public.
        is_hidden=bool(row["is_hidden"] or (row["awaits_moderator"] and template.visibility is Visibility.PUBLIC)),
        record=record_settings_of(row),
        record_uri=row["record_uri"],
        awaits_owner=bool(row["awaits_owner"]),
    )


async def by_slug(reader: Reader, slug: SeriesSlug) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where slug = :slug", slug=slug)
    return series_of(row) if row else None


async def by_id(reader: Reader, series_id: SeriesId) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where id = :id", id=series_id)
    return series_of(row) if row else None


async def by_ids(reader: Reader, series_ids: Sequence[SeriesId]) -> dict[SeriesId, Series]:
    """Several at once, those that were deleted among them."""
    if not series_ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where id in :ids order by id", ids=list(dict.fromkeys(series_ids))
    )
    return {one.id: one for one in map(series_of, rows)}


async def by_submission(reader: Reader, owner_id: UserId, key: str) -> tuple[Series, bytes | None] | None:
    """The series that this very form has made already, with the digest of what it was made of."""
    row = await reader.fetch_one(
        f"select {COLUMNS}, submission_digest from event_series where user_id = :owner_id and submission_key = :key",
        owner_id=owner_id,
        key=key,
    )
    return (series_of(row), row["submission_digest"]) if row else None


async def of_owner(reader: Reader, owner_id: UserId, page: Page = WHOLE) -> list[Series]:
    """A person's series that were not deleted, the newest first."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where user_id = :owner_id and deleted_at is null"
        f"{page.clause('created_at', 'id')}",
        owner_id=owner_id,
        **page.values,
    )
    return [series_of(row) for row in rows]


async def followed_by(reader: Reader, user_id: UserId) -> list[Series]:
    """Series that somebody follows and that were not deleted, the one followed last first."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where deleted_at is null and id in"
        " (select series_id from event_series_followers where user_id = :user_id) order by created_at desc, id desc",
        user_id=user_id,
    )
    return [series_of(row) for row in rows]


async def gone_to_by(reader: Reader, user_id: UserId) -> list[Series]:
    """Series to every date of which somebody goes, not deleted, the one made last first."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where deleted_at is null and id in"
        " (select series_id from event_series_answers where user_id = :user_id) order by created_at desc, id desc",
        user_id=user_id,
    )
    return [series_of(row) for row in rows]


async def lock(tx: Transaction, series_id: SeriesId) -> Series | None:
    """The series, locked until the transaction ends: whoever stores, moves or counts its dates holds this lock.

    Taken before any lock on an event, always.
    """
    row = await tx.fetch_one(f"update event_series set id = id where id = :id returning {COLUMNS}", id=series_id)
    return series_of(row) if row else None


async def lock_by_slug(tx: Transaction, slug: SeriesSlug) -> Series | None:
    """``lock``, found by its address."""
    row = await tx.fetch_one(f"update event_series set id = id where slug = :slug returning {COLUMNS}", slug=slug)
    return series_of(row) if row else None


async def insert(tx: Transaction, series: Series, *, submission: tuple[str, bytes] | None) -> bool:
    """A new row; False when this very submission (its key, and the digest of what it said) has made one already."""
    key, digest = submission or (None, None)
    values = {**values_of(series), "submission_key": key, "submission_digest": digest}
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    await owe_record(tx, series)
    made = await tx.execute(
        f"insert into event_series ({names}) values ({marks}) on conflict (user_id, submission_key) do nothing",
        **values,
    )
    return made == 1


async def update(tx: Transaction, series: Series) -> None:
    """Write every column of a row that the caller has locked, except its identity."""
    values = values_of(series)
    fixed = {"id", "slug", "created_at", "split_from", "record_uri"}
    sets = ", ".join(f"{name} = :{name}" for name in values if name not in fixed)
    await tx.execute(
        f"update event_series set {sets} where id = :id",
        **{name: value for name, value in values.items() if name not in fixed or name == "id"},
    )


async def save(tx: Transaction, after: Series, *, is_owed: bool = True) -> Series:
    """The next revision of a locked series. ``is_owed`` False: its record says so already."""
    saved = replace(after, revision=after.revision + 1, updated_at=tx.now)
    await update(tx, saved)
    if is_owed:
        await owe_record(tx, saved)
    return saved


async def owe_record(tx: Transaction, series: Series) -> None:
    """The owner's repository is owed a look at this revision; what is only read, or was found, owes nothing."""
    if series.is_read_only:
        await publications.forget_unsent(tx, kind=Kind.SERIES, subject_ids=[series.id])
    else:
        await publications.owe(
            tx, kind=Kind.SERIES, subject_id=series.id, user_id=series.owner_id, revision=series.revision
        )


async def restore(tx: Transaction, series: Series, values: Mapping[str, Any]) -> None:
    """Make a locked row say what ``values_of`` said of it once; its revision grows."""
    kept = {
        name: value
        for name, value in values.items()
        if name not in {"id", "slug", "created_at", "stored_until", "record_uri"}
    }
    kept |= {"revision": series.revision + 1, "updated_at": tx.now}
    sets = ", ".join(f"{name} = :{name}" for name in kept)
    await tx.execute(f"update event_series set {sets} where id = :id", **kept, id=series.id)
    await owe_record(tx, replace(series, revision=series.revision + 1))


async def revisions(reader: Reader, series_ids: Sequence[SeriesId]) -> dict[SeriesId, int]:
    rows = await reader.fetch(
        "select id, revision from event_series where id in :ids order by id", ids=list(series_ids)
    )
    return {SeriesId(row["id"]): row["revision"] for row in rows}


async def by_record_uri(reader: Reader, uri: str) -> Series | None:
    row = await reader.fetch_one(f"select {COLUMNS} from event_series where record_uri = :uri", uri=uri)
    return series_of(row) if row else None


async def any_date(reader: Reader, series_id: SeriesId) -> EventId | None:
    """The next stored date, or the last one: what news about the series are about."""
    for condition, order in (("over_at > :now", "starts_at, id"), ("over_at <= :now", "starts_at desc, id")):
        row = await reader.fetch_one(
            f"select id from events where series_id = :series_id and deleted_at is null and {condition}"
            f" order by {order} limit 1",
            series_id=series_id,
            now=reader.now,
        )
        if row is not None:
            return EventId(row["id"])
    return None


async def set_record(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """Where its record stands; None: nowhere."""
    await tx.execute("update event_series set record_uri = :uri where id = :id", uri=uri, id=series_id)


async def behind_window(reader: Reader, until: Instant, limit: int) -> list[SeriesId]:
    """Active series whose stored dates do not reach this far, the furthest behind first."""
    rows = await reader.fetch(
        "select id from event_series where status = 'active' and deleted_at is null and stored_until < :until"
        " order by stored_until, id limit :limit",
        until=until,
        limit=limit,
    )
    return [SeriesId(row["id"]) for row in rows]


async def stored_names(reader: Reader, series_id: SeriesId, *, since: str = "") -> frozenset[str]:
    """Names, from one on, of the dates that are stored, deleted ones too: those are not made again."""
    rows = await reader.fetch(
        "select original_date from events where series_id = :id and original_date >= :since", id=series_id, since=since
    )
    return frozenset(row["original_date"] for row in rows)


async def with_dates_to_complete(reader: Reader, limit: int) -> list[SeriesId]:
    """Series that have dates which are over, and are not known to be."""
    rows = await reader.fetch(
        "select distinct series_id from events where series_id is not null and completed_at is null and over_at <= :now"
        " order by series_id limit :limit",
        now=reader.now,
        limit=limit,
    )
    return [SeriesId(row["series_id"]) for row in rows]


async def complete_dates(tx: Transaction, series_id: SeriesId) -> list[EventId]:
    """Note that the dates of a locked series that are over are completed; those."""
    rows = await tx.fetch(
        "update events set completed_at = :now"
        " where series_id = :series_id and completed_at is null and over_at <= :now returning id",
        series_id=series_id,
        now=tx.now,
    )
    return [EventId(row["id"]) for row in rows]


async def stored(reader: Reader, series_id: SeriesId) -> list[Held]:
    """The stored dates in order, each with the number of its answers."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS}, (select count(*) from attendances a where a.event_id = events.id"
        f" and a.status in {_COUNTED}) as answers from events where series_id = :id order by starts_at, id",
        id=series_id,
    )
    return [Held(event_of(row), row["answers"]) for row in rows]


async def set_stored_until(tx: Transaction, series_id: SeriesId, until: Instant) -> None:
    """How far the dates are stored by the clock; no revision of the series."""
    await tx.execute("update event_series set stored_until = :until where id = :id", until=until, id=series_id)


async def stored_between(reader: Reader, series_id: SeriesId, start: Instant, end: Instant, limit: int) -> list[Event]:
    """The first stored dates that begin in ``[start, end)`` and were not deleted."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id = :id and starts_at >= :start and starts_at < :end"
        " and deleted_at is null and removed_at is null order by starts_at, id limit :limit",
        id=series_id,
        start=start,
        end=end,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def stored_before(reader: Reader, series_id: SeriesId, end: Instant, limit: int) -> list[Event]:
    """The newest stored dates that began before, the newest first; deleted ones are left out."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where series_id = :id and starts_at < :end"
        " and deleted_at is null and removed_at is null order by starts_at desc, id desc limit :limit",
        id=series_id,
        end=end,
        limit=limit,
    )
    return [event_of(row) for row in rows]


async def is_invited_to_any(reader: Reader, series_id: SeriesId, user_id: UserId) -> bool:
    """Whether somebody has a place, an answer or an invitation at one of the dates."""
    row = await reader.fetch_one(
        "select 1 as found from attendances a join events e on e.id = a.event_id"
        " where e.series_id = :id and a.user_id = :user_id and a.status <> 'rejected' limit 1",
        id=series_id,
        user_id=user_id,
    )
    return row is not None


async def date_of(reader: Reader, series_id: SeriesId, original_date: str) -> Event | None:
    """One stored date by its name."""
    row = await reader.fetch_one(
        f"select {EVENT_COLUMNS} from events where series_id = :id and original_date = :original_date",
        id=series_id,
        original_date=original_date,
    )
    return event_of(row) if row else None


async def make_way(tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]]) -> None:
    """Stored dates (event, series, name) get these places next: a name that another of them still has is free from now on."""
    holder = await _holders(tx, moves)
    await former_places.remember(tx, [one for one, to, name in moves if holder.get((to, name)) != one])
    in_the_way = [holder[to, name] for one, to, name in moves if holder.get((to, name), one) != one]
    if in_the_way:
        await tx.execute("update events set original_date = id where id in :ids", ids=in_the_way)


async def place(tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]]) -> None:
    """Give stored dates (event, series, name) their new places, all at once: names may be exchanged among them."""
    await make_way(tx, moves)
    holder = await _holders(tx, moves)
    await tx.execute_many(
        "update events set series_id = :series_id, original_date = :original_date where id = :id",
        [
            {"id": event_id, "series_id": to, "original_date": name}
            for event_id, to, name in moves
            if holder.get((to, name)) != event_id
        ],
    )


async def _holders(
    tx: Transaction, moves: Sequence[tuple[EventId, SeriesId, str]]
) -> dict[tuple[SeriesId, str], EventId]:
    """Which of these events has which place."""
    rows = await tx.fetch(
        "select id, series_id, original_date from events where id in :ids order by id", ids=[one for one, _, _ in moves]
    )
    return {(row["series_id"], row["original_date"]): row["id"] for row in rows}


async def forget_places(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """These are dates of no series any more."""
    if event_ids:
        await former_places.remember(tx, event_ids)
        await tx.execute(
            "update events set series_id = null, original_date = null where id in :ids", ids=list(event_ids)
        )


async def mark_cancelled_with_series(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """These dates were called off because their series was: they come back with it."""
    if event_ids:
        await tx.execute("update events set is_cancelled_with_series = 1 where id in :ids", ids=list(event_ids))


async def cancelled_with_series(reader: Reader, series_id: SeriesId) -> frozenset[str]:
    """Ids of the dates that were called off with the series, and not one by one."""
    rows = await reader.fetch(
        "select id from events where series_id = :id and is_cancelled_with_series = 1 and status = 'cancelled'",
        id=series_id,
    )
    return frozenset(row["id"] for row in rows)


async def events_to_add(reader: Reader, author_id: UserId, group_id: str | None, *, limit: int) -> list[Event]:
    """A person's coming events that are dates of no series, in this group or in none."""
    in_group = "group_id is null" if group_id is None else "group_id = :group_id"
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS} from events where author_id = :author_id and series_id is null and {in_group}"
        " and starts_at > :now and deleted_at is null and removed_at is null and is_read_only = 0 and is_draft = 0"
        " order by starts_at, id limit :limit",
        author_id=author_id,
        now=reader.now,
        limit=limit,
        **({} if group_id is None else {"group_id": group_id}),
    )
    return [event_of(row) for row in rows]


async def add_overrides(tx: Transaction, dates: Sequence[Event], field: str) -> None:
    """These locked dates differ in this field on purpose from now on, beside those they differ in already."""
    places = [(date.id, date.place_in_series) for date in dates if date.place_in_series is not None]
    await tx.execute_many(
        "update events set overridden_fields = :fields, is_modified_occurrence = 1 where id = :id",
        [{"fields": ",".join(sorted({*place.overridden, field})), "id": event_id} for event_id, place in places],
    )


def values_of(series: Series) -> dict[str, Any]:
    """Every column of a series' row, by its name."""
    pattern, template = series.timing.pattern, series.template
    rest = msgspec.to_builtins(template)
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
        **record_columns(series.record),
        "record_uri": series.record_uri,
        "awaits_owner": int(series.awaits_owner),
    }
