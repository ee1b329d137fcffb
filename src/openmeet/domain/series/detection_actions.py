"""Detected series: shown read-only at first, then accepted or refused by their author.

Authors who never signed in to this site have them too; those series stay read-only until the author signs in and
decides.

Until its author accepts it, a detected series has no rule: its dates are the existing events, so nothing can generate,
publish or announce another one. The inferred rule is stored separately. Acceptance can be undone. Records are never
changed (``existing_events``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Transaction, TransactionConflict
from groundwork.errors import NotFound
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue_again, enqueue_selected
from openmeet.domain.events.edits import details_in, own_fields
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import several
from openmeet.domain.series import (
    actions,
    date_queries,
    detection_queries,
    existing_events,
    materialize,
    notify,
    queries,
    splits,
)
from openmeet.domain.series.dates import details_of, original_of, original_text
from openmeet.domain.series.detection import CERTAIN, DetectedSeries, Sighting, find, key_of_series, name_of, title_of
from openmeet.domain.series.detection_queries import Detection, DetectionId, DetectionState
from openmeet.domain.series.existing_events import UndoneAcceptance, undo_acceptance
from openmeet.domain.series.model import PublishPolicy, Series, SeriesId
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.feature_flags.flags import Flag, switches
from openmeet.i18n.markdown import folded
from openmeet.outbox.kinds import JobKind
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import local_of

# Maps record URIs to the series that the records name. Passed in, because reading records belongs to the network
# package.
Naming = Callable[[Reader, Sequence[str]], Awaitable[Mapping[str, str]]]


def detection_handler(db: Database, naming: Naming) -> JobHandler:
    """Return the handler of ``JobKind.DETECT_SERIES`` and ``JobKind.DETECT_FOREIGN_SERIES``. The job's subject is the
    author.

    It attaches later events to accepted series and updates the detected series that the author has not decided about.
    Idempotent, and a no-op if the flag ``detection`` is off. If the detected series have not changed, they are not
    locked.
    """

    async def handle(job: Job) -> None:
        user_id = UserId(job.subject)
        async with db.reader() as reader:
            if Flag.DETECTION not in await switches(reader):
                return
            detections = await detection_queries.of_person(reader, user_id)
        if any(one.state is DetectionState.ACCEPTED for one in detections):
            await db.batch(lambda tx: _attach(tx, user_id, naming))
        async with db.reader() as reader:
            author = await user_by_id(reader, user_id)
            if author is None:
                return
            sightings = await _sightings(reader, await detection_queries.sighted(reader, author), naming)
            detections = await detection_queries.of_person(reader, user_id)
        # Takes a second or more for thousands of events, so it runs outside of a transaction and of the event loop.
        detected_series = await asyncio.to_thread(find, sightings, [author.time_zone] if author.time_zone else [])
        if _undecided(detected_series, detections) != {one.found.key: one.found for one in detections if one.is_open}:
            await db.batch(lambda tx: _show_all(tx, user_id, (sightings, detected_series), naming))

    return handle


async def _attach(tx: Transaction, user_id: UserId, naming: Naming) -> None:
    """Attach the author's later events to the series they accepted."""
    author = await user_by_id(tx, user_id) if await detection_queries.lock_author(tx, user_id) else None
    if author is None:
        return
    events = await detection_queries.sighted(tx, author)
    named = await naming(tx, _record_uris(events))
    for one in await detection_queries.of_person(tx, user_id):
        if one.state is DetectionState.ACCEPTED:
            await _add_later_events(tx, one, events, named)


def _undecided(detected: Iterable[DetectedSeries], detections: Sequence[Detection]) -> dict[str, DetectedSeries]:
    """Detected series that the author has not decided about, by key."""
    decided_keys = {one.found.key for one in detections if not one.is_open}
    # Authors who refused these events as a series are not asked again when their records turn out to name one.
    refused = {event_id for one in detections if one.state is DetectionState.REFUSED for event_id, _ in one.found.dates}
    return {
        one.key: one
        for one in detected
        if one.key not in decided_keys and (not one.is_named or refused.isdisjoint(dict(one.dates)))
    }


async def _show_all(
    tx: Transaction, user_id: UserId, looked: tuple[tuple[Sighting, ...], Sequence[DetectedSeries]], naming: Naming
) -> None:
    """Store and show the detected series. Raises TransactionConflict if the events changed since detection."""
    author = await user_by_id(tx, user_id) if await detection_queries.lock_author(tx, user_id) else None
    if author is None:
        return
    events = {str(event.id): event for event in await detection_queries.sighted(tx, author)}
    if await _sightings(tx, list(events.values()), naming) != looked[0]:
        raise TransactionConflict("the author’s events changed during detection")
    before = await detection_queries.of_person(tx, user_id)
    undecided = _undecided(looked[1], before)
    open_detections = {one.found.key: one for one in before if one.is_open}
    for key in sorted(open_detections.keys() - undecided.keys()):
        await existing_events.unlink(tx, open_detections[key])
        await detection_queries.delete(tx, open_detections[key])
    for key in sorted(undecided):
        await _show(tx, user_id, undecided[key], open_detections.get(key), events)


async def accept(tx: Transaction, caller: Caller, detection_id: DetectionId) -> Series:
    """Accept a detected series: it becomes an ordinary series with the rule, and its upcoming dates are stored.
    Idempotent.

    Raises NotFound, Refused (``NothingLeft``: its events are gone).
    """
    detection = await _own_detection(tx, caller, detection_id)
    if detection.state is DetectionState.ACCEPTED and detection.series_id is not None:
        return await actions.reread(tx, detection.series_id)
    events = await existing_events.lock_existing(tx, detection.found)
    series = await existing_events.link(tx, detection.user_id, detection.found, detection.series_id, events)
    timing = replace(series.timing, pattern=detection.found.pattern)
    confirmed = replace(
        series, timing=timing, is_read_only=False, policy=PublishPolicy.WINDOW, stored_until=Instant(0), deleted_at=None
    )
    saved = await queries.save(tx, confirmed)
    await detection_queries.set_overridden(
        tx, [(event.id, _differs(saved, event, at)) for event, at in _events_and_names(detection, events)]
    )
    await detection_queries.set_state(tx, detection, DetectionState.ACCEPTED, saved.id)
    made = await materialize.store_window(tx, saved)
    await notify.notify_people(tx, saved, notify.of_new_dates(saved, made))
    return await actions.reread(tx, saved.id)


async def refuse(tx: Transaction, caller: Caller, detection_id: DetectionId) -> None:
    """Refuse a detected series: its events stay single, and the author is not asked again.

    If it was accepted, that is undone first. Raises the same errors as ``undo``.
    """
    detection = await _own_detection(tx, caller, detection_id)
    if detection.state is DetectionState.ACCEPTED:
        detection = (await undo_acceptance(tx, detection)).detection
    await existing_events.unlink(tx, detection)
    await detection_queries.set_state(tx, detection, DetectionState.REFUSED, detection.series_id)


async def undo(tx: Transaction, caller: Caller, detection_id: DetectionId) -> UndoneAcceptance:
    """Undo the author's decision and restore the state before it, except for what must stay
    (``existing_events.undo_acceptance``).

    Raises NotFound, Refused (``SomebodyElses``, ``NothingLeft``).
    """
    detection = await _own_detection(tx, caller, detection_id)
    if detection.state is DetectionState.ACCEPTED:
        return await undo_acceptance(tx, detection)
    if detection.state is DetectionState.REFUSED:
        state = DetectionState.SUGGESTED
        series_id = detection.series_id
        if detection.is_certain:
            state = DetectionState.LINKED
            events = await existing_events.lock_existing(tx, detection.found)
            series_id = (
                await existing_events.link(tx, detection.user_id, detection.found, detection.series_id, events)
            ).id
        return UndoneAcceptance(await detection_queries.set_state(tx, detection, state, series_id))
    return UndoneAcceptance(detection)


async def titles_for(reader: Reader, detections: Sequence[Detection]) -> list[tuple[Detection, str, Series | None]]:
    """The present or proposed title of each detected series, and the series itself; None if it no longer exists."""
    series = await queries.by_ids(reader, [one.series_id for one in detections if one.series_id is not None])
    single = [one for one in detections if one.series_id not in series]
    named = [EventId(event_id) for one in single for event_id, _ in one.found.dates]
    titles = {event.id: event.title for event in await several(reader, list(dict.fromkeys(named)))}
    titled = []
    for one in detections:
        its = None if one.series_id is None else series.get(one.series_id)
        titles_found = [titles[EventId(event_id)] for event_id, _ in one.found.dates if event_id in titles]
        titled.append((one, title_of(titles_found or [""]) if its is None else its.content.title, its))
    return titled


async def _own_detection(tx: Transaction, caller: Caller, detection_id: DetectionId) -> Detection:
    await detection_queries.lock_author(tx, caller.user_id)
    detection = await detection_queries.find(tx, detection_id, caller.user_id)
    if detection is None:
        raise NotFound(SeriesReason.NOT_DETECTED)
    return detection


async def _show(
    tx: Transaction, user_id: UserId, detected: DetectedSeries, before: Detection | None, events: dict[str, Event]
) -> None:
    known_series = before.series_id if before else None
    if detected.confidence < CERTAIN:
        if before is not None:
            await existing_events.unlink(tx, before)
        await detection_queries.put(tx, user_id, detected, DetectionState.SUGGESTED, known_series)
        return
    is_same = before is not None and before.state is DetectionState.LINKED and before.found == detected
    if not is_same:
        series = await existing_events.link(tx, user_id, detected, known_series, events)
        if before is not None:
            left = {event_id for event_id, _ in before.found.dates} - {event_id for event_id, _ in detected.dates}
            await date_queries.detach(tx, [EventId(one) for one in sorted(left)])
        await detection_queries.put(tx, user_id, detected, DetectionState.LINKED, series.id)


async def _add_later_events(
    tx: Transaction, detection: Detection, events: Sequence[Event], named: Mapping[str, str]
) -> None:
    """Add later single events, made in other apps, that are dates of the accepted series."""
    if detection.series_id is None:
        return
    fitting = [event for event in events if _key(event, named) == detection.found.key]
    if not fitting:
        return
    parts = await _parts(tx, detection.series_id, detection.user_id)
    for event in fitting:
        for part in parts if event.position_in_series is None else []:
            at = local_of(_start_of(event), part.zone_name).replace(tzinfo=None, microsecond=0)
            is_of_part = part is parts[-1] or part.timing.pattern.start <= at
            is_date = is_of_part if detection.found.is_named else expansion.is_date_of(part.timing.pattern, at)
            if is_date and await date_queries.date_of(tx, part.id, original_text(at)) is None:
                await date_queries.set_positions(tx, [(event.id, part.id, original_text(at))])
                await detection_queries.set_overridden(tx, [(event.id, _differs(part, event, original_text(at)))])
                break


async def _parts(tx: Transaction, series_id: SeriesId, owner_id: UserId) -> list[Series]:
    """The series and its continuations after splits, the last part first. Leaves out parts that now belong to somebody
    else.
    """
    continuations = await splits.all_continuations(tx, series_id)
    locked = [await queries.lock(tx, part_id) for part_id in (series_id, *(part.id for part in continuations))]
    parts = [part for part in locked if part is not None and part.deleted_at is None and part.owner_id == owner_id]
    return parts[::-1]


def _events_and_names(detection: Detection, events: dict[str, Event]) -> list[tuple[Event, str]]:
    return [(events[event_id], original_text(at)) for event_id, at in detection.found.dates if event_id in events]


def _differs(series: Series, event: Event, name: str) -> tuple[str, ...]:
    usual = details_of(series.content, series.timing, original_of(name))
    return own_fields(event, details_in(event), usual)


def _record_uris(events: Iterable[Event]) -> list[str]:
    return [event.record_uri for event in events if event.record_uri is not None]


async def _sightings(reader: Reader, events: Sequence[Event], naming: Naming) -> tuple[Sighting, ...]:
    named = await naming(reader, _record_uris(events))
    return tuple(_sighting(event, named) for event in events)


def _sighting(event: Event, named: Mapping[str, str]) -> Sighting:
    series_name = named.get(event.record_uri or "", "")
    return Sighting(event.id, event.title, _place(event), _start_of(event), event.time_zone, series_name)


def _key(event: Event, named: Mapping[str, str]) -> str:
    series_name = named.get(event.record_uri or "")
    return key_of_series(series_name) if series_name else f"{name_of(event.title)}\n{_place(event)}"


def _place(event: Event) -> str:
    """A text that is equal for equal places: the venue or, without one, the host name of the online URL."""
    venue = event.content.venue
    if not venue.is_empty:
        return folded(" ".join(filter(None, (venue.name or venue.street, venue.locality))))
    return urlsplit(event.content.online_url).hostname or ""


def _start_of(event: Event) -> Instant:
    assert event.starts_at is not None  # noqa: S101  # only events with a start are looked at
    return event.starts_at


# How long to wait after an author's last change before looking for series.
QUIET: Final = MINUTE
# For an author who never signed in, there is at most one job per interval.
STRANGER_INTERVAL: Final = 10 * MINUTE

# Requires at least two events, because fewer are not a series. Each author costs two index entries, however much they
# wrote.
_STRANGERS: Final = """
    select u.id as subject from users u
     where u.id in :authors and u.kind = 'shadow'
       and exists (select 1 from events e
                    where e.author_id = u.id and e.starts_at is not null and e.origin = 'network'
                    limit 1 offset 1)
     order by u.id
"""

ALL_STRANGERS: Final = """
    select distinct i.user_id as subject from identities i join events e on e.author_id = i.user_id
     where i.kind = 'shadow' and e.origin = 'network' and e.deleted_at is null order by subject
"""


async def enqueue_detection(tx: Transaction, authors: Collection[tuple[UserId, bool]]) -> None:
    """Enqueue detection for these authors. The flag says whether the author signs in to this site (``author_for_did``).

    Call it after the events have been written: an unknown author with a single event gets no job.
    """
    quiet = Instant(tx.now + QUIET)
    await enqueue_again(tx, JobKind.DETECT_SERIES, [user_id for user_id, is_here in authors if is_here], due_at=quiet)
    strangers = sorted(user_id for user_id, is_here in authors if not is_here)
    if strangers:
        # The revision is the end of the interval, so that everything an author writes within it belongs to the same
        # job.
        ends = tx.now - tx.now % STRANGER_INTERVAL + STRANGER_INTERVAL
        due_at = Instant(ends + QUIET)
        await enqueue_selected(tx, JobKind.DETECT_FOREIGN_SERIES, _STRANGERS, ends, due_at=due_at, authors=strangers)
