"""What a host does to a series, and who follows it. Every action locks the series first, its dates after it.

Who answered a date that changes is told once, however many dates they answered; nothing is mailed from here.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from groundwork.fresh_id import new_id
from openmeet.attendance.actions import dates_changed, decide_records_anew
from openmeet.events import actions as events
from openmeet.events.differing import STARTS
from openmeet.events.model import Event, EventId
from openmeet.events.queries import lock_for_update
from openmeet.events.saying import new_slug
from openmeet.notifications.model import Kind
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import instant_of
from openmeet.series import agenda, queries, storing
from openmeet.series.dates import original_of
from openmeet.series.model import Policy, Scope, Series, SeriesId, SeriesSlug, SeriesStatus, Template, Timing
from openmeet.series.plan import Plan
from openmeet.users.model import Caller, UserId


async def create(
    tx: Transaction,
    caller: Caller,
    template: Template,
    timing: Timing,
    *,
    policy: Policy = Policy.NEXT,
    submission_key: str | None = None,
) -> Series:
    """A new series of the caller, with its nearest dates stored. The same ``submission_key`` again returns the first one.

    Raises RuleRefused for a rule that names no date, and Refused (``KeyReused``) where the key's series says something else.
    """
    expansion.check_occurs(timing.pattern)
    series = _new(tx.now, caller.user_id, template, timing, policy)
    if not await queries.insert(tx, series, submission_key=submission_key):
        earlier = await queries.by_submission(tx, caller.user_id, submission_key or "")
        assert earlier is not None  # noqa: S101  # the conflict is with it
        if earlier.revision == 1 and (earlier.template, earlier.timing) != (template, timing):
            raise Refused(
                "This key has made a series already, with something else in it. Take a new key for another series.",
                name="KeyReused",
            )
        return earlier
    await storing.store_window(tx, series)
    return await reread(tx, series.id)


async def insert(tx: Transaction, owner_id: UserId, template: Template, timing: Timing, policy: Policy) -> Series:
    """A new series without a stored date: for events that become its dates."""
    series = _new(tx.now, owner_id, template, timing, policy)
    await queries.insert(tx, series, submission_key=None)
    return series


async def open_date(tx: Transaction, slug: SeriesSlug, original_date: str, *, viewer: UserId | None = None) -> Event:
    """The event of a date, stored if it was only computed. Raises NotFound.

    Who may not see the series finds nothing, and who sees it cannot make it hold dates that it does not make itself: those of
    a series that rests, or is cancelled, and dates beyond ``OPENED_AHEAD``.
    """
    await agenda.visible(tx, slug, viewer)
    series = await queries.lock_by_slug(tx, slug)
    if series is None or series.deleted_at is not None:
        raise NotFound("There is no such series.")
    known = await queries.date_of(tx, series.id, original_date)
    if known is None and series.status is not SeriesStatus.ACTIVE:
        raise NotFound("This series makes no new dates at the moment.")
    if known is None and _is_far(series, original_date, tx.now):
        raise NotFound("This date is too far ahead to have a page yet.")
    return known or await storing.vivify(tx, series, original_date)


async def lock_own(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """The caller's series, locked. Raises NotFound, Forbidden, Refused (a copy), PreconditionFailed."""
    series = await queries.lock_by_slug(tx, slug)
    if series is None or series.deleted_at is not None:
        raise NotFound("There is no such series.")
    if series.owner_id != caller.user_id:
        raise Forbidden("Only the host of this series can change it.")
    if series.is_read_only:
        raise Refused("This series is kept elsewhere; change it where it was written.", name="ReadOnly")
    if expected_revision is not None and series.revision != expected_revision:
        raise PreconditionFailed("This series was changed since you opened it.")
    return series


async def apply(tx: Transaction, series: Series, plan: Plan, *, tells: bool = True) -> Series:
    """Do what a plan of the locked series says, all of it or nothing; the series that its dates belong to afterwards.

    ``tells`` False: the host chose to stay silent.
    """
    target = await _target(tx, series, plan)
    for event in plan.vanishing:
        await events.remove_date(tx, await lock_event(tx, event.id))
    # What vanishes frees its name for another date.
    await queries.forget_places(tx, [event.id for event in plan.vanishing])
    await queries.place(tx, _moves(target, plan))
    changed = []
    for change in plan.changes:
        before = await lock_event(tx, change.event.id)
        after = await events.revise_date(tx, before, change.details, change.overridden)
        if after.revision != before.revision:
            changed.append((before, after))
            if before.visibility is not after.visibility:
                await decide_records_anew(tx, after.id)
    for held in plan.stranded:
        # A date that its series' rule no longer names differs from the series in when it begins.
        await queries.add_override(tx, held.event.id, STARTS)
    if tells:
        await dates_changed(tx, changed, Kind.EVENT_CHANGED)
    await storing.store_window(tx, target)
    if target.id != series.id:
        await storing.publish_by_policy(tx, await reread(tx, series.id))
    return await reread(tx, target.id)


async def cancel_dates(tx: Transaction, series: Series, names: Sequence[str], reason: str) -> int:
    """Call dates of the locked series off; they stay visible. Computed ones are stored first. How many changed."""

    async def call_off(event: Event) -> Event:
        return await events.call_date_off(tx, event, reason)

    return await _each(tx, series, names, call_off, Kind.EVENT_CANCELLED)


async def reinstate_dates(tx: Transaction, series: Series, names: Sequence[str]) -> int:
    """Bring cancelled dates back as they were; the same people hear of it. How many changed."""

    async def bring_back(event: Event) -> Event:
        return await events.bring_date_back(tx, event)

    return await _each(tx, series, names, bring_back, Kind.EVENT_REINSTATED)


async def remove_dates(tx: Transaction, series: Series, names: Sequence[str]) -> Series:
    """Take dates out of the locked series for good: the rule leaves them out, stored ones are deleted."""
    pattern = series.timing.pattern
    left_out = tuple(sorted({*pattern.left_out, *map(original_of, names)}))
    gone = []
    for held in await queries.stored(tx, series.id):
        place = held.event.place_in_series
        if place is not None and place.original_date in names and not held.event.is_gone:
            before = await lock_event(tx, held.event.id)
            gone.append((before, await events.remove_date(tx, before)))
            await decide_records_anew(tx, before.id)
    await dates_changed(tx, gone, Kind.EVENT_DELETED)
    saved = await save(tx, replace(series, timing=replace(series.timing, pattern=replace(pattern, left_out=left_out))))
    await storing.store_window(tx, saved)
    return await reread(tx, series.id)


async def cancel(tx: Transaction, series: Series, reason: str) -> Series:
    """Call the whole series off: no new dates, every coming one is cancelled."""
    await cancel_dates(tx, series, await coming(tx, series), reason)
    return await save(tx, replace(series, status=SeriesStatus.CANCELLED, status_reason=reason))


async def pause(tx: Transaction, series: Series, reason: str) -> Series:
    """No new dates until it goes on; those that are stored stay."""
    return await save(tx, replace(series, status=SeriesStatus.PAUSED, status_reason=reason))


async def resume(tx: Transaction, series: Series) -> Series:
    """Go on: a paused series makes dates again; of a cancelled one the coming dates are brought back, too."""
    was_cancelled = series.status is SeriesStatus.CANCELLED
    series = await save(tx, replace(series, status=SeriesStatus.ACTIVE, status_reason=""))
    if was_cancelled:
        await reinstate_dates(tx, series, await coming(tx, series))
    await storing.store_window(tx, series)
    return await reread(tx, series.id)


async def delete(tx: Transaction, series: Series, *, keeps_events: bool) -> None:
    """Take the series away. Its coming dates go with it and those who answered hear of it, or stay as events of their own.

    Past dates stay as events of their own in any case.
    """
    gone = []
    for held in await queries.stored(tx, series.id):
        if held.event.is_gone:
            continue
        before = await lock_event(tx, held.event.id)
        if keeps_events or before.is_over(tx.now):
            await events.leave_series(tx, before)
        else:
            gone.append((before, await events.remove_date(tx, before)))
            await decide_records_anew(tx, before.id)
    await dates_changed(tx, gone, Kind.EVENT_DELETED)
    await save(tx, replace(series, deleted_at=tx.now))


async def follow(tx: Transaction, caller: Caller, slug: SeriesSlug, *, notifies: bool = True) -> None:
    """Hear of new, moved and cancelled dates; again to switch that on or off. Raises NotFound."""
    series = await agenda.visible(tx, slug, caller.user_id)
    await queries.follow(tx, series.id, caller.user_id, notifies=notifies)


async def unfollow(tx: Transaction, caller: Caller, slug: SeriesSlug) -> None:
    """Following nothing is no mistake."""
    series = await queries.by_slug(tx, slug)
    if series is not None:
        await queries.unfollow(tx, series.id, caller.user_id)


async def _target(tx: Transaction, series: Series, plan: Plan) -> Series:
    """The series that the plan's dates belong to: itself, or the new half, which is made."""
    match plan.scope:
        case Scope.THIS:
            return series
        case Scope.ALL:
            return await save(tx, replace(series, template=plan.template, timing=plan.timing))
        case Scope.FOLLOWING:
            assert plan.before is not None  # noqa: S101  # a split has two halves
            await save(tx, replace(series, timing=plan.before))
            behind = replace(
                _new(tx.now, series.owner_id, plan.template, plan.timing, series.policy),
                split_from=series.id,
                status=series.status,
                status_reason=series.status_reason,
            )
            await queries.insert(tx, behind, submission_key=None)
            await queries.copy_followers(tx, series.id, behind.id)
            return behind


def _moves(target: Series, plan: Plan) -> list[tuple[EventId, SeriesId, str]]:
    """The stored dates that get another series or another name."""
    places = [(change.event, change.original_date) for change in plan.changes]
    places += [
        (held.event, held.event.place_in_series.original_date) for held in plan.stranded if held.event.place_in_series
    ]
    return [
        (event.id, target.id, name)
        for event, name in places
        if event.place_in_series is None
        or (event.place_in_series.series_id, event.place_in_series.original_date) != (target.id, name)
    ]


async def _each(
    tx: Transaction, series: Series, names: Sequence[str], change: Callable[[Event], Awaitable[Event]], kind: Kind
) -> int:
    changed = []
    for name in names:
        stored = await storing.vivify(tx, series, name)
        before = await lock_event(tx, stored.id)
        after = await change(before)
        if after.revision != before.revision:
            changed.append((before, after))
    await dates_changed(tx, changed, kind)
    await storing.publish_by_policy(tx, series)
    return len(changed)


async def coming(tx: Transaction, series: Series) -> list[str]:
    """Names of the stored dates that are not over."""
    return [
        held.event.place_in_series.original_date
        for held in await queries.stored(tx, series.id)
        if held.event.place_in_series and not held.event.is_gone and not held.event.is_over(tx.now)
    ]


async def lock_event(tx: Transaction, event_id: EventId) -> Event:
    """A stored date, locked; its series is locked already."""
    event = await lock_for_update(tx, event_id)
    assert event is not None  # noqa: S101  # rows of events are never deleted
    return event


async def save(tx: Transaction, after: Series) -> Series:
    """The next revision of a locked series."""
    saved = replace(after, revision=after.revision + 1, updated_at=tx.now)
    await queries.update(tx, saved)
    return saved


async def reread(tx: Transaction, series_id: SeriesId) -> Series:
    """The series as it is after everything that was just done."""
    series = await queries.by_id(tx, series_id)
    assert series is not None  # noqa: S101  # rows of series are never deleted
    return series


def _is_far(series: Series, original_date: str, now: Instant) -> bool:
    try:
        return instant_of(original_of(original_date), series.zone_name) > now + agenda.OPENED_AHEAD
    except ValueError:
        return False  # no date at all: storing says so


def _new(now: Instant, owner_id: UserId, template: Template, timing: Timing, policy: Policy) -> Series:
    return Series(
        id=SeriesId(new_id(now)),
        slug=SeriesSlug(new_slug(template.title)),
        template=template,
        timing=timing,
        status=SeriesStatus.ACTIVE,
        status_reason="",
        policy=policy,
        owner_id=owner_id,
        split_from=None,
        is_read_only=False,
        revision=1,
        stored_until=Instant(0),
        deleted_at=None,
        created_at=now,
        updated_at=now,
    )
