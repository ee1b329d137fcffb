"""What a host decides about records: of one event, of every date of a series, and which dates the series publishes.

The record stands in the author's repository, so only the author decides.
"""

from dataclasses import replace

from groundwork.database.joint_revision import joint_revision
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Forbidden, NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance.actions import decide_all_records_anew, decide_records_anew
from openmeet.domain.events import actions as events
from openmeet.domain.events import seeing, series_dates
from openmeet.domain.events.model import Event, EventSlug, RecordSettings, Visibility
from openmeet.domain.events.permissions import Act
from openmeet.domain.events.publication import Reach, reach
from openmeet.domain.events.queries import by_id, by_slug, lock_dates
from openmeet.domain.events.series_dates import set_records
from openmeet.domain.identities.queries import consent
from openmeet.domain.series import actions, queries, save
from openmeet.domain.series.model import Policy, Series, SeriesId, SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.outbox import publications
from openmeet.outbox.publications import Kind, Standing, State

# Dates that one request looks at: those that are stored ahead, and some that are over.
MOST_DATES = 100


async def event_of(reader: Reader, caller: Caller, slug: str) -> Event | None:
    """The event of that address, for its author; None where there is none. Raises Forbidden, Refused."""
    event = await by_slug(reader, EventSlug(slug))
    if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
        return None
    await seeing.must_be_editable(reader, event, caller.user_id, Act.PUBLISH_RECORD)
    return event


async def series_of(reader: Reader, caller: Caller, slug: str) -> Series:
    """The caller's series of that address. Raises NotFound."""
    series = await queries.by_slug(reader, SeriesSlug(slug))
    if series is None or series.deleted_at is not None or series.owner_id != caller.user_id:
        raise NotFound("There is no such event.")
    return series


async def series_around(reader: Reader, caller: Caller, event: Event) -> Series | None:
    """The caller's series that the event is a date of."""
    if event.place_in_series is None:
        return None
    series = await queries.by_id(reader, SeriesId(event.place_in_series.series_id))
    return series if series is not None and series.owner_id == caller.user_id else None


def revision_of(event: Event, series: Series | None) -> int:
    """What a tag of an event's settings names; of a date also its series, whose choice of dates stands beside them."""
    if series is None:
        return event.revision
    return joint_revision((event.id, event.revision), (series.id, series.revision))


async def lock(
    tx: Transaction, caller: Caller, event: Event, *, expected_revision: int | None
) -> tuple[Event, Series | None]:
    """An event and the caller's series that it is a date of, both locked before anything is decided. Raises as
    ``change_event``, and PreconditionFailed.
    """
    series = await series_around(tx, caller, event)
    if series is not None:
        series = await actions.lock_own(tx, caller, series.slug)
    locked = await events.lock_hosted(tx, caller, event.slug, None, Act.PUBLISH_RECORD)
    if expected_revision is not None and expected_revision != revision_of(locked, series):
        raise PreconditionFailed("This was changed since you opened it. Look again, and save.")
    return locked, series


async def change_event(tx: Transaction, caller: Caller, slug: EventSlug, record: RecordSettings) -> Event:
    """Replace them for one event. Raises NotFound, Forbidden, Refused."""
    before = await events.lock_hosted(tx, caller, slug, None, Act.PUBLISH_RECORD)
    if record == before.record:
        return before
    must_fit(before, record)
    saved = await events.save_edit(tx, caller, replace(before, record=record))
    await decide_records_anew(tx, saved.id)
    return saved


async def change_series(
    tx: Transaction,
    caller: Caller,
    slug: SeriesSlug,
    record: RecordSettings | None,
    policy: Policy | None,
    *,
    expected_revision: int | None = None,
) -> Series:
    """Replace them for a series, its coming dates and those that follow. Raises NotFound, Forbidden, Refused."""
    series = await actions.lock_own(tx, caller, slug)
    if expected_revision is not None and series.revision != expected_revision:
        raise PreconditionFailed("This series was changed since you opened it.")
    after = replace(series, record=record or series.record, policy=policy or series.policy)
    if after != series:
        series = await save.save(tx, after)
    if record is not None:
        coming = [one for one in await lock_dates(tx, series.id) if not one.is_gone and not one.is_over(tx.now)]
        for one in coming:
            must_fit(one, record)
        changed = await set_records(tx, coming, record)
        await decide_all_records_anew(tx, [one.id for one in changed])
    await series_dates.owe_by_policy(tx, series.id)
    if after.policy is not series.policy:
        await series_dates.look_at_published(tx, series.id)
    return await actions.reread(tx, series.id)


async def agree(tx: Transaction, caller: Caller, slug: SeriesSlug) -> Series:
    """The owner has what others changed at their series and its dates published. Raises NotFound, Forbidden, Refused."""
    series = await actions.lock_own(tx, caller, slug)
    if series.owner_id != caller.user_id:
        raise Forbidden("Only the host of this series can publish it from their repository.")
    await save.agree(tx, series)
    return await actions.reread(tx, series.id)


async def of_series(reader: Reader, series: Series) -> tuple[Standing, bool] | None:
    """How the record of the series itself stands, and whether it may be out there; None where nothing ever was."""
    standing = (await publications.states(reader, Kind.SERIES, [series.id]))[series.id]
    if standing.uri is None and standing.state is not State.RETRACTED:
        return None
    is_public = reach(series.template.visibility, series.group, series.record) is Reach.FULL
    is_wanted = is_public and series.policy is not Policy.NONE
    return standing, is_wanted and (await consent(reader, series.owner_id)).is_given


def must_fit(event: Event, record: RecordSettings) -> None:
    """Refused where the network would be told of a circle that is not the host's."""
    if record.is_announced and (event.group is not None or event.own_visibility is not Visibility.PRIVATE):
        why = "Only an event for those who are invited, in no group, can be announced with name and time alone."
        raise Refused(why, name="NotInvitedOnly")


async def published_dates(reader: Reader, series: Series) -> list[Event]:
    """The dates of a series that have a record or owe one, in order."""
    rows = await reader.fetch(
        "select id from events where series_id = :id and (owes_record = 1 or record_uri is not null)"
        " and deleted_at is null and removed_at is null order by starts_at desc, id limit :limit",
        id=series.id,
        limit=MOST_DATES,
    )
    found = [await by_id(reader, row["id"]) for row in rows]
    return [event for event in reversed(found) if event is not None]


async def look_again(tx: Transaction, caller: Caller, some: list[Event], *, force: bool) -> None:
    """Decide anew about these events' records. ``force``: also of what was taken back, refused or disagrees."""
    for event in some:
        if force:
            agreed = await events.agree_to_record(tx, caller, event.slug)
            await publications.try_again(tx, kind=Kind.EVENT, subject_id=agreed.id)
    await publications.look_again(tx, kind=Kind.EVENT, subject_ids=[event.id for event in some])
