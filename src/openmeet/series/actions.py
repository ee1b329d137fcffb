"""What a host does to a series, and who follows it. Every action locks the series first, its dates after it.

Who answered a date that changes, and who follows the series, is told once, however many dates that are. What was done can be
undone for a while (``undoing``).
"""

from dataclasses import replace

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from groundwork.fresh_id import new_id
from openmeet.attendance import joining_queries
from openmeet.attendance.actions import decide_records_anew
from openmeet.events import owing
from openmeet.events.actions import take_away
from openmeet.events.dates import leave_series, revise_dates
from openmeet.events.differing import STARTS
from openmeet.events.model import Event, EventId, GroupOfEvent
from openmeet.events.queries import lock_dates
from openmeet.events.saying import new_slug
from openmeet.notifications.model import Kind
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import instant_of
from openmeet.series import agenda, calling_off, following, queries, storing, telling, undoing
from openmeet.series.dates import original_of
from openmeet.series.model import Policy, Scope, Series, SeriesId, SeriesSlug, SeriesStatus, Template, Timing
from openmeet.series.plan import Plan
from openmeet.series.queries import save
from openmeet.series.undoing import Act
from openmeet.users.model import Caller, UserId


async def create(
    tx: Transaction,
    caller: Caller,
    template: Template,
    timing: Timing,
    *,
    policy: Policy = Policy.NEXT,
    submission_key: str | None = None,
    group: GroupOfEvent | None = None,
) -> Series:
    """A new series of the caller, with its nearest dates stored. The same ``submission_key`` again returns the first one.

    ``group``: of ``grouping.group_for``, which knows who may.

    Raises RuleRefused for a rule that names no date, and Refused (``KeyReused``) where the key's series says something else.
    """
    expansion.check_occurs(timing.pattern)
    series = _new(tx.now, caller.user_id, template, timing, policy, group)
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


async def insert(
    tx: Transaction,
    owner_id: UserId,
    template: Template,
    timing: Timing,
    policy: Policy,
    group: GroupOfEvent | None = None,
) -> Series:
    """A new series without a stored date: for events that become its dates."""
    series = _new(tx.now, owner_id, template, timing, policy, group)
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
    """A series that the caller may change, locked: their own, or one of a group that they run.

    Raises NotFound, Forbidden, Refused (a copy), PreconditionFailed.
    """
    series = await queries.lock_by_slug(tx, slug)
    if series is None or series.deleted_at is not None or not await agenda.may_see(tx, series, caller.user_id):
        raise NotFound("There is no such series.")
    if not await agenda.may_edit(tx, series, caller.user_id):
        raise Forbidden("Only the host of this series can change it.")
    if series.is_read_only:
        raise Refused("This series is kept elsewhere; change it where it was written.", name="ReadOnly")
    if expected_revision is not None and series.revision != expected_revision:
        raise PreconditionFailed("This series was changed since you opened it.")
    return series


async def lock_for_undo(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """``lock_own`` for the series whose last act made this one, or else for this one."""
    series = await queries.by_slug(tx, slug)
    found = None if series is None else await undoing.open_undo(tx, series)
    if series is None or found is None or found.series_id == series.id:
        return await lock_own(tx, caller, slug, expected_revision=expected_revision)
    first = await reread(tx, found.series_id)
    locked = await lock_own(tx, caller, first.slug)
    # The tag that was sent is the half's.
    await lock_own(tx, caller, slug, expected_revision=expected_revision)
    return locked


async def apply(tx: Transaction, series: Series, plan: Plan, *, tells: bool = True) -> Series:
    """Do what a plan of the locked series says, all of it or nothing; the series that its dates belong to afterwards.

    ``tells`` False: the host chose to stay silent.
    """
    before = await undoing.look(tx, series)
    target = await _target(tx, series, plan)
    locked = {event.id: event for event in await lock_dates(tx, series.id)}
    gone = []
    for event in plan.vanishing:
        gone.append((event, await take_away(tx, locked[event.id])))
        await decide_records_anew(tx, event.id)
    # What vanishes frees its name for another date.
    await queries.forget_places(tx, [event.id for event in plan.vanishing])
    await queries.place(tx, _moves(target, plan))
    wanted = [
        (_placed(locked[change.event.id], target.id, change.original_date), change.details, change.overridden)
        for change in plan.changes
    ]
    after = await revise_dates(tx, wanted)
    changed = [(now, then) for (now, _, _), then in zip(wanted, after, strict=True) if then.revision != now.revision]
    for now, then in changed:
        if now.visibility is not then.visibility:
            await decide_records_anew(tx, then.id)
    for held in plan.stranded:
        # A date that its series' rule no longer names differs from the series in when it begins.
        await queries.add_override(tx, held.event.id, STARTS)
    told = await telling.of_changes(tx, target, changed, Kind.EVENT_CHANGED, tells=tells)
    told |= await telling.of_changes(tx, target, gone, Kind.EVENT_DELETED, tells=tells, but=told)
    made = await storing.store_window(tx, target)
    if tells:
        await telling.of_new_dates(tx, target, made, but=told)
    is_split = target.id != series.id
    if is_split:
        await owing.owe_by_policy(tx, series.id)
    await undoing.keep(
        tx, before, Act.SPLIT if is_split else Act.EDIT, made=target.id if is_split else None, is_silent=not tells
    )
    return await reread(tx, target.id)


async def pause(tx: Transaction, series: Series, reason: str, *, tells: bool = True) -> Series:
    """No new dates until it goes on; those that are stored stay. Followers and those who answered are told why."""
    before = await undoing.look(tx, series)
    saved = await save(tx, replace(series, status=SeriesStatus.PAUSED, status_reason=reason))
    if tells:
        await telling.of_status(tx, saved, Kind.SERIES_PAUSED, reason)
    await undoing.keep(tx, before, Act.PAUSE, is_silent=not tells)
    return saved


async def resume(tx: Transaction, series: Series) -> tuple[Series, int]:
    """Go on: a paused series makes dates again; of a cancelled one come back the dates that were cancelled with it: how many."""
    before = await undoing.look(tx, series)
    saved = await save(tx, replace(series, status=SeriesStatus.ACTIVE, status_reason=""))
    back, told = 0, frozenset[UserId]()
    match series.status:
        case SeriesStatus.CANCELLED:
            back, told = await calling_off.bring_back_with_series(tx, saved)
        case SeriesStatus.PAUSED:
            await telling.of_status(tx, saved, Kind.SERIES_RESUMED, "")
        case SeriesStatus.ACTIVE:
            pass
    made = await storing.store_window(tx, saved)
    if series.status is SeriesStatus.CANCELLED:
        await telling.of_new_dates(tx, saved, made, but=told)
    await owing.owe_by_policy(tx, saved.id)
    await undoing.keep(tx, before, Act.RESUME)
    return await reread(tx, series.id), back


async def delete(tx: Transaction, series: Series, *, keeps_events: bool) -> None:
    """Take the series away. Its coming dates go with it and those who answered hear of it, or stay as events of their own.

    Past dates stay as events of their own in any case.
    """
    gone = []
    for before in await lock_dates(tx, series.id):
        if before.is_gone:
            continue
        if keeps_events or before.is_over(tx.now):
            await leave_series(tx, before)
        else:
            gone.append((before, await take_away(tx, before)))
            await decide_records_anew(tx, before.id)
    await telling.of_changes(tx, series, gone, Kind.EVENT_DELETED)
    await save(tx, replace(series, deleted_at=tx.now))


async def follow(tx: Transaction, caller: Caller, slug: SeriesSlug, *, notifies: bool = True) -> None:
    """Hear of new, moved and cancelled dates; again to switch that on or off. Raises NotFound."""
    series = await agenda.visible(tx, slug, caller.user_id)
    await following.follow(tx, series.id, caller.user_id, notifies=notifies)


async def unfollow(tx: Transaction, caller: Caller, slug: SeriesSlug) -> None:
    """Following nothing is no mistake."""
    series = await queries.by_slug(tx, slug)
    if series is not None:
        await following.unfollow(tx, series.id, caller.user_id)


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
                _new(tx.now, series.owner_id, plan.template, plan.timing, series.policy, series.group),
                split_from=series.id,
                status=series.status,
                status_reason=series.status_reason,
            )
            await queries.insert(tx, behind, submission_key=None)
            await following.copy_all(tx, series.id, behind.id)
            await joining_queries.copy(tx, series.id, behind.id)
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


def _placed(event: Event, series_id: SeriesId, original_date: str) -> Event:
    place = event.place_in_series
    assert place is not None  # noqa: S101  # a date of a series
    return replace(event, place_in_series=replace(place, series_id=series_id, original_date=original_date))


def _new(
    now: Instant,
    owner_id: UserId,
    template: Template,
    timing: Timing,
    policy: Policy,
    group: GroupOfEvent | None,
) -> Series:
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
        group=group,
    )
