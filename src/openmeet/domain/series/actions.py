"""Series actions of hosts and followers, except edits (``apply_edits``). Every action locks the series first, then its
dates.

Attendees of changed dates and followers are notified once per action, however many dates it affects. Actions can be
undone for a while (``undo``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Gone, NotFound, PreconditionFailed, Refused
from groundwork.uuid7 import new_id
from openmeet.domain import slugs
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.events import series_dates
from openmeet.domain.events.actions import set_slugs
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import new_slug
from openmeet.domain.events.model import Event, GroupOfEvent
from openmeet.domain.events.queries import lock_dates
from openmeet.domain.events.series_dates import delete_each, leave_series
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.public_names import require_public_name
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import (
    agenda,
    calendar_uids,
    cancel_dates,
    date_addresses,
    date_queries,
    follower_queries,
    materialize,
    new_date_rsvps,
    notify,
    queries,
    save_series,
    undo,
    visibility,
)
from openmeet.domain.series.date_addresses import DateName
from openmeet.domain.series.dates import checked_name, original_of
from openmeet.domain.series.model import (
    OPENED_AHEAD_YEARS,
    PublishPolicy,
    Series,
    SeriesId,
    SeriesSlug,
    SeriesStatus,
    Timing,
)
from openmeet.domain.series.notify import SeriesNews
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.series.save_series import save
from openmeet.domain.series.undo import UndoableAction
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import TOO_FAR_AHEAD
from openmeet.i18n import formatting
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import instant_of, local_of


class SeriesAlreadyCreated(Refused):
    """The submission key was already used to create a series with different content. ``slug`` is that series' slug."""

    def __init__(self, slug: SeriesSlug) -> None:
        super().__init__(
            SeriesReason.KEY_REUSED,
            name="KeyReused",
        )
        self.slug = slug


async def create(
    tx: Transaction,
    caller: Caller,
    content: Content,
    timing: Timing,
    *,
    policy: PublishPolicy = PublishPolicy.NEXT,
    submission_key: str | None = None,
    group: GroupOfEvent | None = None,
    ahead: Sequence[expansion.Occurrence] | None = None,
) -> Series:
    """Create a series for the caller and store its nearest dates.

    If the same ``submission_key`` is sent again, return the series it created, in its current state.

    ``group``: from ``group_of_event.group_for``, which checks the permission. ``ahead``: from
    ``materialize.first_dates``; this function computes it if None.

    Raises RuleRefused for a rule without dates, SeriesAlreadyCreated if the earlier request had different content, and
    Refused (``NameNeeded``).
    """
    await require_public_name(tx, caller.user_id)
    if ahead is None:
        ahead = materialize.first_dates(timing, tx.now)
    series = new_series(tx.now, caller.user_id, content, timing, policy, group)
    # Each upload of the same file is stored as another picture.
    without_picture = replace(content, picture=None)
    digest = hashlib.sha256(msgspec.json.encode((without_picture, timing, group.id if group else None))).digest()
    if not await save_series.insert(tx, series, submission=(submission_key, digest) if submission_key else None):
        submitted = await queries.by_submission(tx, caller.user_id, submission_key or "")
        assert submitted is not None  # noqa: S101  # the insert conflicted with this row
        earlier, known_digest = submitted
        # Rows from before digests were introduced have none.
        if known_digest is not None and known_digest != digest:
            raise SeriesAlreadyCreated(earlier.slug)
        return earlier
    await materialize.store_window(tx, series, ahead=ahead)
    return await reread(tx, series.id)


async def insert(
    tx: Transaction,
    owner_id: UserId,
    content: Content,
    timing: Timing,
    policy: PublishPolicy,
    group: GroupOfEvent | None = None,
) -> Series:
    """Store a new series without dates. The caller turns existing events into its dates."""
    series = new_series(tx.now, owner_id, content, timing, policy, group)
    await save_series.insert(tx, series)
    return series


async def open_date(tx: Transaction, slug: SeriesSlug, original_date: str, *, viewer: UserId | None = None) -> Event:
    """Return the event of a date, and store it if it was only computed. Former names also work (``date_addresses``).

    Raises NotFound, also if the viewer cannot see the series. Viewers cannot make the series store dates that it would
    not store itself: those of a paused or cancelled series, and dates beyond ``OPENED_AHEAD``.
    """
    resolved: Event | DateName | None
    original_date = checked_name(original_date)
    try:
        resolved = await date_addresses.resolve(tx, await agenda.visible(tx, slug, viewer), original_date, viewer)
    except Gone:
        deleted = await queries.by_slug(tx, slug)
        resolved = await date_addresses.resolve_from_deleted(tx, deleted, original_date, viewer) if deleted else None
        if resolved is None:
            raise
    if isinstance(resolved, Event):
        return resolved
    # Locked only now, because after a split the date may be in the following series.
    series, original_date = resolved.series, resolved.original_date
    series = await agenda.require_visible(tx, await queries.lock(tx, series.id), viewer)
    stored = await date_queries.date_of(tx, series.id, original_date)
    if stored is None and series.status is not SeriesStatus.ACTIVE:
        raise NotFound(SeriesReason.MAKES_NO_NEW_DATES)
    opens = None if stored is not None else _opens_at(series, original_date, tx.now)
    if opens is not None:
        day = formatting.day(local_of(opens, series.zone_name))
        raise NotFound(SeriesReason.NO_PAGE_YET, name=TOO_FAR_AHEAD, day=day, years=OPENED_AHEAD_YEARS)
    if stored is not None:
        return stored
    made = await materialize.ensure_stored(tx, series, original_date)
    if viewer is not None:
        # They are about to read the date.
        await new_date_rsvps.invite_viewer(tx, series, made, viewer)
    return made


async def lock_managed(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """Lock and return a series that the caller manages: their own, or one of a group in which they may do so.

    Use it for cancelling, transferring and managing people. To make or change dates, use ``lock_to_change``. Raises
    NotFound, Gone, Forbidden, Refused (a copy), PreconditionFailed.
    """
    series = await agenda.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    await agenda.require_host(tx, series, caller.user_id)
    if expected_revision is not None and series.revision != expected_revision:
        raise PreconditionFailed(SeriesReason.CHANGED_SINCE_OPENED)
    return replace(series, changed_by=caller.user_id)


async def lock_to_change(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """Like ``lock_managed``, for changes of content. Also raises Forbidden for a host who may no longer create events
    in the series' group.
    """
    series = await lock_managed(tx, caller, slug, expected_revision=expected_revision)
    await agenda.require_editable(tx, series, caller.user_id)
    return series


async def lock_for_undo(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """Like ``lock_to_change``, for the series whose last action can be undone: the series whose last action created
    this series, or this series itself.
    """
    series = await queries.by_slug(tx, slug)
    series_undo = None if series is None else await undo.open_undo(tx, series)
    if series is None or series_undo is None or series_undo.series_id == series.id:
        return await lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    first = await reread(tx, series_undo.series_id)
    locked = await lock_to_change(tx, caller, first.slug)
    # The client's ETag is that of the new series.
    await lock_managed(tx, caller, slug, expected_revision=expected_revision)
    return locked


async def pause(tx: Transaction, series: Series, reason: str, *, notifies: bool = True) -> Series:
    """Pause: the series makes no new dates until it resumes; stored dates stay. Followers and attendees are notified of
    the reason.

    If it is already paused, a new reason replaces the old one, and an empty one changes nothing. Raises Refused
    (``SeriesCancelled``), because a cancelled series makes no dates anyway.
    """
    if series.status is SeriesStatus.CANCELLED:
        raise Refused(SeriesReason.CANCELLED, name="SeriesCancelled")
    if series.status is SeriesStatus.PAUSED and reason in {"", series.status_reason}:
        return series
    before = await undo.take_snapshot(tx, series)
    saved = await save(tx, replace(series, status=SeriesStatus.PAUSED, status_reason=reason))
    await series_dates.make_published_dates_due(tx, [saved.id])
    news = await notify.of_status(tx, saved, event_kinds.SERIES_PAUSED, reason) if notifies else []
    fan_out_id = await notify.notify_people(tx, saved, news)
    await undo.store_snapshot(tx, before, UndoableAction.PAUSE, is_silent=not notifies, fan_out_id=fan_out_id)
    return saved


async def resume(tx: Transaction, series: Series, *, notifies: bool = True) -> tuple[Series, int]:
    """Resume a paused or cancelled series. Returns the number of dates cancelled with it that were reinstated.

    ``notifies``: False if the host chose not to notify anybody; of a cancelled series, not to notify followers
    (``cancel_dates``).
    """
    if series.status is SeriesStatus.ACTIVE:
        return series, 0
    before = await undo.take_snapshot(tx, series)
    saved = await save(tx, replace(series, status=SeriesStatus.ACTIVE, status_reason=""))
    back, news = 0, list[SeriesNews]()
    match series.status:
        case SeriesStatus.CANCELLED:
            back, news = await cancel_dates.reinstate_with_series(tx, saved, notifies=notifies)
        case SeriesStatus.PAUSED:
            news = await notify.of_status(tx, saved, event_kinds.SERIES_RESUMED, "") if notifies else []
    made = await materialize.store_window(tx, saved)
    if series.status is SeriesStatus.CANCELLED and notifies:
        news = [*news, *notify.of_new_dates(saved, made)]
    await series_dates.enqueue_by_policy(tx, [saved.id])
    await series_dates.make_published_dates_due(tx, [saved.id])
    fan_out_id = await notify.notify_people(tx, saved, news)
    await undo.store_snapshot(tx, before, UndoableAction.RESUME, is_silent=not notifies, fan_out_id=fan_out_id)
    return await reread(tx, series.id), back


async def delete(tx: Transaction, series: Series, *, keeps_events: bool) -> None:
    """Delete the series. Its upcoming dates are deleted and their attendees notified, unless ``keeps_events`` makes
    them single events.

    Past dates always become single events.
    """
    dates = [one for one in await lock_dates(tx, series.id) if not one.is_gone]
    staying = [one for one in dates if keeps_events or one.is_over(tx.now)]
    leaving = [] if keeps_events else [one for one in dates if not one.is_over(tx.now)]
    await calendar_uids.retire_current(tx, [one.id for one in staying])
    await registration.copy_to_dates(tx, series.id, [one.id for one in staying])
    await leave_series(tx, staying, by=series.changed_by)
    deleted = await delete_each(tx, leaving)
    await make_rsvp_records_due(tx, [one.id for one in deleted])
    news = await notify.of_changes(tx, series, list(zip(leaving, deleted, strict=True)), event_kinds.EVENT_DELETED)
    await notify.notify_people(tx, series, news)
    await save(tx, replace(series, deleted_at=tx.now))


async def replace_links(
    tx: Transaction, caller: Caller, slug: SeriesSlug, *, expected_revision: int | None = None
) -> Series:
    """Give an unlisted series and its dates new links. The old ones stop working.

    Raises the errors of ``lock_to_change``, and Refused (``PublicSeries``) if the series is listed publicly.
    """
    series = await lock_to_change(tx, caller, slug, expected_revision=expected_revision)
    if series.visibility is Visibility.PUBLIC:
        raise Refused(SeriesReason.NEW_LINK_OF_PUBLIC, name="PublicSeries")
    await slugs.retire(tx, LinkKind.SERIES, [(series.slug, series.id)])
    fresh = SeriesSlug(new_slug(series.content.title))
    await queries.set_slug(tx, series.id, fresh)
    dates = [
        one
        for one in await lock_dates(tx, series.id)
        if one.deleted_at is None and one.visibility is not Visibility.PUBLIC
    ]
    await slugs.retire(tx, LinkKind.EVENT, [(one.slug, one.id) for one in dates])
    await set_slugs(tx, [(one.id, new_slug(one.title)) for one in dates])
    return await save(tx, replace(series, slug=fresh))


async def follow(tx: Transaction, caller: Caller, slug: SeriesSlug, *, notifies: bool = True) -> None:
    """Follow the series, to be notified of new, moved and cancelled dates. Calling it again turns notifications on or
    off. Raises NotFound, Refused (``NotWelcome``).
    """
    await agenda.visible(tx, slug, caller.user_id)
    # Locked, because a block ends the following of the series, also one that begins at the same time.
    series = await agenda.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    await visibility.raise_if_unwelcome(tx, series, caller.user_id, refusal=SeriesReason.CANNOT_FOLLOW)
    await follower_queries.follow(tx, series.id, caller.user_id, notifies=notifies)


async def unfollow(tx: Transaction, caller: Caller, slug: SeriesSlug) -> None:
    """Stop following. Idempotent."""
    series = await queries.by_slug(tx, slug)
    if series is not None:
        await follower_queries.unfollow(tx, series.id, caller.user_id)


async def reread(tx: Transaction, series_id: SeriesId) -> Series:
    """Read the series again after all changes of the action."""
    series = await queries.by_id(tx, series_id)
    assert series is not None  # noqa: S101  # rows of series are never deleted
    return series


def new_series(
    now: Instant,
    owner_id: UserId,
    content: Content,
    timing: Timing,
    policy: PublishPolicy,
    group: GroupOfEvent | None,
) -> Series:
    """Make a series without storing it."""
    return Series(
        id=SeriesId(new_id(now)),
        slug=SeriesSlug(new_slug(content.title)),
        content=content,
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


def _opens_at(series: Series, original_date: str, now: Instant) -> Instant | None:
    """The time from which a date that is still too far ahead can be opened. None if it can be opened now, or if there
    is no such date; storing it then reports the error.
    """
    try:
        original = original_of(original_date)
    except ValueError:
        return None
    if not expansion.is_date_of(series.timing.pattern, original):
        return None
    return agenda.opens_at(instant_of(original, series.zone_name), now)
