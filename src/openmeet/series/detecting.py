"""Series found among an author's single events become read-only series, and real ones when the author says so.

A found series has no rule of its own: its dates are the events that are there, so nothing can generate, publish or announce another
one. The rule that was inferred waits beside it for the author's yes, which can be taken back (``taking_back``). Records are never touched
(``linking``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from groundwork.clock import Instant
from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Reader, Transaction, TransactionConflict
from groundwork.errors import NotFound
from groundwork.outbox.owe import Debt as OwedDebt
from groundwork.outbox.pay import Payer
from openmeet.events.differing import details_in, differing
from openmeet.events.model import Event, EventId
from openmeet.events.queries import several
from openmeet.flags.model import Flag
from openmeet.flags.queries import switches
from openmeet.recurrence import expansion
from openmeet.recurrence.wall_time import local_of
from openmeet.series import actions, date_queries, detections, linking, queries, storing, telling
from openmeet.series.dates import details_of, original_of, original_text
from openmeet.series.detection import CERTAIN, Found, Sighting, find, key_of_series, name_of, title_of
from openmeet.series.detections import Detection, DetectionId, DetectionState
from openmeet.series.model import Policy, Series
from openmeet.series.taking_back import Undone, take_back
from openmeet.site.texts import folded
from openmeet.users.model import Caller, UserId
from openmeet.users.queries import by_id as user_by_id

# Which series the records at these addresses name, by address: records are read by a room above this one.
Naming = Callable[[Reader, Sequence[str]], Awaitable[Mapping[str, str]]]


def detection_payer(db: Database, naming: Naming) -> Payer:
    """The payer of ``Debt.DETECT_SERIES``; the subject is the author.

    What is shown agrees with what is found; what the author decided stands. Again, it changes nothing, and nothing where the
    flag ``detection`` is off.
    """

    async def pay(debt: OwedDebt) -> None:
        user_id = UserId(debt.subject)
        if await in_one_hop(db, lambda tx: _attach(tx, user_id, naming)):
            async with db.reader() as reader:
                sightings = await _sightings(reader, await detections.sighted(reader, user_id), naming)
                zones = await _zones(reader, user_id)
            # A second and more for thousands of events: in no transaction, and not on the event loop.
            looked = sightings, await asyncio.to_thread(find, sightings, zones)
            await in_one_hop(db, lambda tx: _show_all(tx, user_id, looked, naming))

    return pay


async def _attach(tx: Transaction, user_id: UserId, naming: Naming) -> bool:
    """What the author wrote since joins the series that they accepted; whether there is anything more to look for."""
    if Flag.DETECTION not in await switches(tx) or not await detections.lock_author(tx, user_id):
        return False
    accepted = [one for one in await detections.of_person(tx, user_id) if one.state is DetectionState.ACCEPTED]
    if accepted:
        events = await detections.sighted(tx, user_id)
        named = await naming(tx, _addresses(events))
        for one in accepted:
            await _add_later_ones(tx, one, events, named)
    return True


async def _show_all(
    tx: Transaction, user_id: UserId, looked: tuple[tuple[Sighting, ...], Sequence[Found]], naming: Naming
) -> None:
    """Raises TransactionConflict where the events are others by now than those that were looked through."""
    if not await detections.lock_author(tx, user_id):
        return
    events = {str(event.id): event for event in await detections.sighted(tx, user_id)}
    if await _sightings(tx, list(events.values()), naming) != looked[0]:
        raise TransactionConflict("the author’s events changed while a series was looked for")
    known = {one.found.key: one for one in await detections.of_person(tx, user_id)}
    # Who said no to these events as a series is not asked again because their records name one, too.
    refused = {
        event_id for one in known.values() if one.state is DetectionState.REFUSED for event_id, _ in one.found.dates
    }
    found = {one.key: one for one in looked[1] if not one.is_named or refused.isdisjoint(dict(one.dates))}
    for key in sorted(known.keys() - found.keys()):
        if known[key].is_open:
            await linking.unlink(tx, known[key])
            await detections.drop(tx, known[key])
    for key in sorted(found):
        before = known.get(key)
        if before is None or before.is_open:
            await _show(tx, user_id, found[key], before, events)


async def accept(tx: Transaction, caller: Caller, detection_id: DetectionId) -> Series:
    """The author's yes: a series like any other, with the rule, its coming dates stored. Twice is once.

    Raises NotFound, Refused (``NothingLeft``: its events are gone).
    """
    one = await _theirs(tx, caller, detection_id)
    if one.state is DetectionState.ACCEPTED and one.series_id is not None:
        return await actions.reread(tx, one.series_id)
    events = await linking.there(tx, one.found)
    series = await linking.link(tx, one.user_id, one.found, one.series_id, events)
    timing = replace(series.timing, pattern=one.found.pattern)
    confirmed = replace(
        series, timing=timing, is_read_only=False, policy=Policy.WINDOW, stored_until=Instant(0), deleted_at=None
    )
    saved = await queries.save(tx, confirmed)
    await detections.set_overridden(tx, [(event.id, _differs(saved, event, at)) for event, at in _placed(one, events)])
    await detections.set_state(tx, one, DetectionState.ACCEPTED, saved.id)
    made = await storing.store_window(tx, saved)
    await telling.tell(tx, saved, telling.of_new_dates(saved, made))
    return await actions.reread(tx, saved.id)


async def refuse(tx: Transaction, caller: Caller, detection_id: DetectionId) -> None:
    """The author's no: single events, and they are not asked again. An accepted one is undone first. Raises what ``undo`` does."""
    one = await _theirs(tx, caller, detection_id)
    if one.state is DetectionState.ACCEPTED:
        one = (await take_back(tx, one)).detection
    await linking.unlink(tx, one)
    await detections.set_state(tx, one, DetectionState.REFUSED, one.series_id)


async def undo(tx: Transaction, caller: Caller, detection_id: DetectionId) -> Undone:
    """Take the author's word back: what it was before they were asked, with what stays of it all the same (``taking_back``).

    Raises NotFound, Refused (``SomebodyElses``, ``NothingLeft``).
    """
    one = await _theirs(tx, caller, detection_id)
    if one.state is DetectionState.ACCEPTED:
        return await take_back(tx, one)
    if one.state is DetectionState.REFUSED:
        state = DetectionState.SUGGESTED
        series_id = one.series_id
        if one.is_certain:
            state = DetectionState.LINKED
            events = await linking.there(tx, one.found)
            series_id = (await linking.link(tx, one.user_id, one.found, one.series_id, events)).id
        return Undone(await detections.set_state(tx, one, state, series_id))
    return Undone(one)


async def titles_for(reader: Reader, found: Sequence[Detection]) -> list[tuple[Detection, str, Series | None]]:
    """Each with what it is called, or would be, and its series, which may be gone."""
    series = await queries.by_ids(reader, [one.series_id for one in found if one.series_id is not None])
    single = [one for one in found if one.series_id not in series]
    named = [EventId(event_id) for one in single for event_id, _ in one.found.dates]
    titles = {event.id: event.title for event in await several(reader, list(dict.fromkeys(named)))}
    known = []
    for one in found:
        its = None if one.series_id is None else series.get(one.series_id)
        said = [titles[EventId(event_id)] for event_id, _ in one.found.dates if event_id in titles]
        known.append((one, title_of(said or [""]) if its is None else its.template.title, its))
    return known


async def _theirs(tx: Transaction, caller: Caller, detection_id: DetectionId) -> Detection:
    await detections.lock_author(tx, caller.user_id)
    one = await detections.find(tx, detection_id, caller.user_id)
    if one is None:
        raise NotFound("There is no such series among your events.")
    return one


async def _show(
    tx: Transaction, user_id: UserId, found: Found, before: Detection | None, events: dict[str, Event]
) -> None:
    known_series = before.series_id if before else None
    if found.confidence < CERTAIN:
        if before is not None:
            await linking.unlink(tx, before)
        await detections.put(tx, user_id, found, DetectionState.SUGGESTED, known_series)
        return
    is_same = before is not None and before.state is DetectionState.LINKED and before.found == found
    if not is_same:
        series = await linking.link(tx, user_id, found, known_series, events)
        if before is not None:
            left = {event_id for event_id, _ in before.found.dates} - {event_id for event_id, _ in found.dates}
            await date_queries.forget_places(tx, [EventId(one) for one in sorted(left)])
        await detections.put(tx, user_id, found, DetectionState.LINKED, series.id)


async def _add_later_ones(tx: Transaction, one: Detection, events: Sequence[Event], named: Mapping[str, str]) -> None:
    """The author goes on writing single events elsewhere: those that are dates of the accepted series become its dates."""
    if one.series_id is None:
        return
    fitting = [event for event in events if _key(event, named) == one.found.key]
    if not fitting:
        return
    series = await queries.lock(tx, one.series_id)
    if series is None or series.deleted_at is not None:
        return
    for event in fitting:
        at = local_of(_at(event), series.zone_name).replace(tzinfo=None, microsecond=0)
        is_free = await date_queries.date_of(tx, series.id, original_text(at)) is None
        is_date = one.found.is_named or expansion.is_date_of(series.timing.pattern, at)
        if is_free and event.place_in_series is None and is_date:
            await date_queries.place(tx, [(event.id, series.id, original_text(at))])
            await detections.set_overridden(tx, [(event.id, _differs(series, event, original_text(at)))])


def _placed(one: Detection, events: dict[str, Event]) -> list[tuple[Event, str]]:
    return [(events[event_id], original_text(at)) for event_id, at in one.found.dates if event_id in events]


def _differs(series: Series, event: Event, name: str) -> tuple[str, ...]:
    return differing(details_in(event), details_of(series.template, series.timing, original_of(name)))


async def _zones(reader: Reader, user_id: UserId) -> Sequence[str]:
    person = await user_by_id(reader, user_id)
    return [person.time_zone] if person is not None and person.time_zone else []


def _addresses(events: Iterable[Event]) -> list[str]:
    return [event.record_uri for event in events if event.record_uri is not None]


async def _sightings(reader: Reader, events: Sequence[Event], naming: Naming) -> tuple[Sighting, ...]:
    named = await naming(reader, _addresses(events))
    return tuple(_sighting(event, named) for event in events)


def _sighting(event: Event, named: Mapping[str, str]) -> Sighting:
    series_name = named.get(event.record_uri or "", "")
    return Sighting(event.id, event.title, _place(event), _at(event), event.time_zone, series_name)


def _key(event: Event, named: Mapping[str, str]) -> str:
    series_name = named.get(event.record_uri or "")
    return key_of_series(series_name) if series_name else f"{name_of(event.title)}\n{_place(event)}"


def _place(event: Event) -> str:
    """The same text for the same place: the venue, else where people meet online."""
    venue = event.venue
    if not venue.is_empty:
        return folded(" ".join(filter(None, (venue.name or venue.street, venue.locality))))
    return urlsplit(event.online_url).hostname or ""


def _at(event: Event) -> Instant:
    assert event.starts_at is not None  # noqa: S101  # only events with a start are looked at
    return event.starts_at
