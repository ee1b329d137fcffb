"""Record settings of an event or of all dates of a series, and the publish policy.

The record is in the author's repository, so only the author decides about it.
"""

from dataclasses import replace

from groundwork.database.joint_revision import joint_revision
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import event_access, series_dates
from openmeet.domain.events.model import Event, EventId, EventSlug, RecordSettings
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import PublishLevel, reach
from openmeet.domain.events.queries import by_slug, lock_dates, several
from openmeet.domain.events.series_dates import set_record_settings
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.queries import consent
from openmeet.domain.series import actions, queries, save_series
from openmeet.domain.series.model import PublishPolicy, Series, SeriesId, SeriesSlug
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.outbox import publication_status, publications
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind, PublicationState

# Maximum number of dates to look at per request: those stored ahead and some past ones.
MAX_DATES = 100


async def find_own_event(reader: Reader, caller: Caller, slug: str) -> Event | None:
    """The event with this slug, for its author. None if there is none. Raises Forbidden, Refused."""
    event = await by_slug(reader, EventSlug(slug))
    if (
        event is None
        or event.is_gone
        or not await event_access.may_see(reader, event, caller.user_id, has_rsvp_access=False)
    ):
        return None
    await event_access.require_editable(reader, event, caller.user_id, EventPermission.PUBLISH_RECORD)
    return event


async def require_own_series(reader: Reader, caller: Caller, slug: str) -> Series:
    """The caller's series with this slug. Raises NotFound."""
    series = await queries.by_slug(reader, SeriesSlug(slug))
    if series is None or series.deleted_at is not None or series.owner_id != caller.user_id:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    return series


async def own_series_around(reader: Reader, caller: Caller, event: Event) -> Series | None:
    """The series that this event is a date of, if it belongs to the caller."""
    if event.position_in_series is None:
        return None
    series = await queries.by_id(reader, SeriesId(event.position_in_series.series_id))
    return series if series is not None and series.owner_id == caller.user_id else None


def revision_of(event: Event, series: Series | None) -> int:
    """The revision for the ETag of an event's settings. For a date it includes the series' revision, because the
    publish policy is shown with the settings.
    """
    if series is None:
        return event.revision
    return joint_revision((event.id, event.revision), (series.id, series.revision))


async def lock(
    tx: Transaction, caller: Caller, event: Event, *, expected_revision: int | None
) -> tuple[Event, Series | None]:
    """Lock an event and the caller's series that it belongs to, before anything is decided.

    Raises the errors of ``change_event``, and PreconditionFailed.
    """
    series = await own_series_around(tx, caller, event)
    if series is not None:
        series = await actions.lock_managed(tx, caller, series.slug)
    locked = await event_actions.lock_for_host(tx, caller, event.slug, None, EventPermission.PUBLISH_RECORD)
    if expected_revision is not None and expected_revision != revision_of(locked, series):
        raise PreconditionFailed(SeriesReason.SETTINGS_CHANGED)
    return locked, series


async def change_event(tx: Transaction, caller: Caller, slug: EventSlug, record_settings: RecordSettings) -> Event:
    """Replace the record settings of one event. Raises NotFound, Forbidden, Refused."""
    before = await event_actions.lock_for_host(tx, caller, slug, None, EventPermission.PUBLISH_RECORD)
    if record_settings == before.record_settings:
        return before
    require_fitting_audience(before, record_settings)
    saved = await event_actions.save_edit(tx, caller, before, replace(before, record_settings=record_settings))
    await make_rsvp_records_due(tx, [saved.id])
    return saved


async def change_series(
    tx: Transaction,
    caller: Caller,
    slug: SeriesSlug,
    record_settings: RecordSettings | None,
    policy: PublishPolicy | None,
    *,
    expected_revision: int | None = None,
) -> Series:
    """Replace the record settings of a series and its upcoming and future dates. Raises NotFound, Forbidden, Refused."""
    series = await actions.lock_managed(tx, caller, slug)
    if expected_revision is not None and series.revision != expected_revision:
        raise PreconditionFailed(SeriesReason.CHANGED_SINCE_OPENED)
    after = replace(series, record_settings=record_settings or series.record_settings, policy=policy or series.policy)
    if after != series:
        series = await save_series.save(tx, after)
    if record_settings is not None:
        coming = [one for one in await lock_dates(tx, series.id) if not one.is_gone and not one.is_over(tx.now)]
        for one in coming:
            require_fitting_audience(one, record_settings)
        changed = await set_record_settings(tx, coming, record_settings)
        await make_rsvp_records_due(tx, [one.id for one in changed])
    await series_dates.enqueue_by_policy(tx, [series.id])
    return await actions.reread(tx, series.id)


async def approve_publication(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """As the owner, approve publication of others' changes to the series and its dates. Raises NotFound, Forbidden,
    Refused.
    """
    series = await actions.lock_managed(tx, caller, slug)
    if series.owner_id != caller.user_id:
        raise Forbidden(SeriesReason.HOST_PUBLISHES)
    await save_series.approve_publication(tx, series)
    return await actions.reread(tx, series.id)


async def of_series(reader: Reader, series: Series) -> tuple[PublicationStatus, bool] | None:
    """Publication status of the series' own record, and whether it may be published. None if nothing was ever
    published.
    """
    publication = (await publication_status.statuses(reader, PublicationKind.SERIES, [series.id]))[series.id]
    if publication.uri is None and publication.state is not PublicationState.RETRACTED:
        return None
    is_public = reach(series.content.visibility, series.group, series.record_settings) is PublishLevel.FULL
    is_wanted = is_public and series.policy is not PublishPolicy.NONE
    return publication, is_wanted and (await consent(reader, series.owner_id)).is_given


def require_fitting_audience(event: Event, record_settings: RecordSettings) -> None:
    """Raise Refused if the settings announce an event for an audience that the host does not decide alone.

    Only private events outside of groups can be announced this way.
    """
    if record_settings.is_announced and (event.group is not None or event.content.visibility is not Visibility.PRIVATE):
        why = SeriesReason.CANNOT_ANNOUNCE
        raise Refused(why, name="NotInvitedOnly")


async def published_dates(reader: Reader, series: Series) -> list[Event]:
    """Dates of a series that are published or to be published, in order."""
    rows = await reader.fetch(
        "select id from events where series_id = :id and (is_published_by_policy = 1 or record_uri is not null)"
        " and deleted_at is null and removed_at is null order by starts_at desc, id limit :limit",
        id=series.id,
        limit=MAX_DATES,
    )
    return await several(reader, [EventId(row["id"]) for row in rows])


async def enqueue_records(tx: Transaction, caller: Caller, some: list[Event], *, force: bool) -> None:
    """Enqueue these events' records again. ``force``: including retracted, refused and conflicting ones."""
    for event in some:
        if force:
            agreed = await event_actions.agree_to_record(tx, caller, event.slug)
            await publications.retry_now(tx, kind=PublicationKind.EVENT, subject_id=agreed.id)
    await publications.make_due(tx, kind=PublicationKind.EVENT, subject_ids=[event.id for event in some])
