"""Single dates of a series: called off, brought back, taken out, added. The series is locked by whoever calls."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.attendance.actions import decide_records_anew
from openmeet.events import owing
from openmeet.events.actions import take_away
from openmeet.events.dates import bring_dates_back, call_dates_off
from openmeet.events.model import Event
from openmeet.events.queries import lock_dates
from openmeet.notifications.model import Kind
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.wall_time import instant_of
from openmeet.series import queries, storing, telling, undoing
from openmeet.series.dates import original_of
from openmeet.series.model import Series, SeriesStatus
from openmeet.series.undoing import Act
from openmeet.users.model import UserId

Change = Callable[[list[Event]], Awaitable[list[Event]]]


async def cancel_dates(
    tx: Transaction, series: Series, names: Sequence[str], reason: str, *, tells: bool = True
) -> int:
    """Call dates of the locked series off; they stay visible. Computed ones are stored first. How many changed."""
    before = await undoing.look(tx, series)
    changed, _ = await _cancel(tx, series, await _named(tx, series, names), reason, tells=tells)
    await undoing.keep(tx, before, Act.CANCEL_DATES, is_silent=not tells)
    return len(changed)


async def reinstate_dates(tx: Transaction, series: Series, names: Sequence[str], *, tells: bool = True) -> int:
    """Bring cancelled dates back as they were; the same people hear of it. How many changed."""
    before = await undoing.look(tx, series)
    changed, _ = await _reinstate(tx, series, await _named(tx, series, names), tells=tells)
    await undoing.keep(tx, before, Act.REINSTATE_DATES, is_silent=not tells)
    return len(changed)


async def cancel(tx: Transaction, series: Series, reason: str, *, tells: bool = True) -> tuple[Series, int]:
    """Call the whole series off: no new dates, every coming one is cancelled. The series, and how many dates changed."""
    before = await undoing.look(tx, series)
    coming = [event for event in await lock_dates(tx, series.id) if not event.is_gone and not event.is_over(tx.now)]
    # What was called off by itself keeps its reason, and stays so when the series comes back.
    changed, _ = await _cancel(tx, series, [one for one in coming if not one.is_cancelled], reason, tells=tells)
    await queries.mark_cancelled_with_series(tx, [after.id for _, after in changed])
    saved = await queries.save(tx, replace(series, status=SeriesStatus.CANCELLED, status_reason=reason))
    await undoing.keep(tx, before, Act.CANCEL, is_silent=not tells)
    return saved, len(changed)


async def bring_back_with_series(tx: Transaction, series: Series) -> tuple[int, frozenset[UserId]]:
    """The coming dates that were cancelled with the series, and not one by one, take place after all: how many, and who was told."""
    with_it = await queries.cancelled_with_series(tx, series.id)
    coming = [
        event
        for event in await lock_dates(tx, series.id)
        if event.id in with_it and not event.is_gone and not event.is_over(tx.now)
    ]
    changed, told = await _reinstate(tx, series, coming, tells=True)
    return len(changed), told


async def remove_dates(tx: Transaction, series: Series, names: Sequence[str], *, tells: bool = True) -> Series:
    """Take dates out of the locked series for good: the rule leaves them out, stored ones are deleted."""
    before = await undoing.look(tx, series)
    known = series.timing.pattern
    left_out = tuple(sorted({*known.left_out, *map(original_of, names)}))
    added = tuple(at for at in known.added if at not in left_out)
    gone = []
    for event in await lock_dates(tx, series.id):
        place = event.place_in_series
        if place is not None and place.original_date in names and not event.is_gone:
            gone.append((event, await take_away(tx, event)))
            await decide_records_anew(tx, event.id)
    # A date that is taken out may be added again: its name is free for that.
    await queries.forget_places(tx, [event.id for event, _ in gone])
    await telling.of_changes(tx, series, gone, Kind.EVENT_DELETED, tells=tells)
    made = pattern(
        known.start, known.zone_name, known.rule, left_out=left_out, added=added, is_all_day=known.is_all_day
    )
    saved = await queries.save(tx, replace(series, timing=replace(series.timing, pattern=made)))
    await storing.store_window(tx, saved)
    await undoing.keep(tx, before, Act.REMOVE_DATES, is_silent=not tells)
    return saved


async def add_date(tx: Transaction, series: Series, original_date: str, *, tells: bool = True) -> Event:
    """One more date of the locked series, beside those of its rule; followers hear of it.

    Raises Refused: ``DateTaken`` (there is one at that time), ``DateOver``.
    """
    before = await undoing.look(tx, series)
    known = series.timing.pattern
    original = original_of(original_date)
    stored = await queries.date_of(tx, series.id, original_date)
    if stored is not None and stored.is_gone:
        await queries.forget_places(tx, [stored.id])
    elif stored is not None or expansion.is_date_of(known, original):
        raise Refused("The series has a date at that time already.", name="DateTaken")
    if instant_of(original, series.zone_name) <= tx.now:
        raise Refused("That time is over.", name="DateOver")
    left_out = [at for at in known.left_out if at != original]
    wider = pattern(
        known.start, known.zone_name, known.rule, left_out=left_out, added=known.added, is_all_day=known.is_all_day
    )
    if not expansion.is_date_of(wider, original):
        wider = pattern(
            known.start,
            known.zone_name,
            known.rule,
            left_out=left_out,
            added=[*known.added, original],
            is_all_day=known.is_all_day,
        )
    saved = await queries.save(tx, replace(series, timing=replace(series.timing, pattern=wider)))
    made = await storing.store(tx, saved, [original])
    await owing.owe_by_policy(tx, series.id)
    if tells:
        await telling.of_new_dates(tx, saved, made)
    await undoing.keep(tx, before, Act.ADD_DATE, is_silent=not tells)
    return made[0]


async def _named(tx: Transaction, series: Series, names: Sequence[str]) -> list[Event]:
    """The stored events of these dates, locked; computed ones are stored."""
    for name in names:
        await storing.vivify(tx, series, name)
    wanted = set(names)
    return [
        event
        for event in await lock_dates(tx, series.id)
        if event.place_in_series is not None and event.place_in_series.original_date in wanted and not event.is_gone
    ]


async def _cancel(
    tx: Transaction, series: Series, dates: list[Event], reason: str, *, tells: bool
) -> tuple[list[tuple[Event | None, Event]], frozenset[UserId]]:
    async def call_off(dates: list[Event]) -> list[Event]:
        return await call_dates_off(tx, dates, reason)

    return await _change(tx, series, dates, call_off, Kind.EVENT_CANCELLED, tells=tells)


async def _reinstate(
    tx: Transaction, series: Series, dates: list[Event], *, tells: bool
) -> tuple[list[tuple[Event | None, Event]], frozenset[UserId]]:
    async def bring_back(dates: list[Event]) -> list[Event]:
        return await bring_dates_back(tx, dates)

    return await _change(tx, series, dates, bring_back, Kind.EVENT_REINSTATED, tells=tells)


async def _change(
    tx: Transaction, series: Series, dates: list[Event], change: Change, kind: Kind, *, tells: bool
) -> tuple[list[tuple[Event | None, Event]], frozenset[UserId]]:
    dates = sorted(dates, key=lambda event: (event.starts_at or 0, event.id))
    after = await change(dates)
    pairs: list[tuple[Event | None, Event]] = [
        (one, then) for one, then in zip(dates, after, strict=True) if then.revision != one.revision
    ]
    told = await telling.of_changes(tx, series, pairs, kind, tells=tells)
    await owing.owe_by_policy(tx, series.id)
    return pairs, told
