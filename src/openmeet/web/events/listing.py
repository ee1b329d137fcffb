"""Events in lists: cards grouped by day, with times in the event's own time zone, and with everything that lists show:
cover, host, attendees, up to two badges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import attendee_summary
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_badges import Badge, badge_in_list
from openmeet.domain.attendance.answer_bar import AnswerBar, AnswerBarInput, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.attendance.attendee_summary import counts_shown, faces_of
from openmeet.domain.attendance.model import NO_COUNTS, RsvpCounts
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events import event_access, time_and_place
from openmeet.domain.events.model import Event, EventId, EventStatus, RecordOrigin
from openmeet.domain.events.series_dates import more_dates
from openmeet.domain.events.time_and_place import place_label
from openmeet.domain.events.values import Mode
from openmeet.domain.groups.model import GroupId
from openmeet.domain.identities.queries import consent, shown_names
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series, SeriesId, SeriesStatus
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting, languages
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox import publication_status, publications
from openmeet.outbox.reasons import RecordStatus
from openmeet.recurrence import expansion
from openmeet.web.events import badges
from openmeet.web.events.publication_view import event_status
from openmeet.web.media.drawings import thumbnail
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of
from openmeet.web.site.reader_zone import ShownZone, zone_of
from openmeet.web.site.time_tags import start_tag

# Empty for the usual status.
STATUS_LABELS: Final[Mapping[EventStatus, LazyText | str]] = {
    EventStatus.PLANNED: lazy("Not final yet"),
    EventStatus.SCHEDULED: "",
    EventStatus.RESCHEDULED: lazy("Moved"),
    EventStatus.POSTPONED: lazy("Postponed"),
    EventStatus.CANCELLED: lazy("Cancelled"),
}


@dataclass(frozen=True, slots=True)
class FurtherDates:
    """How many other dates a series has (``11 more dates``), and the page that lists them."""

    path: str
    words: str


@dataclass(frozen=True, slots=True)
class CardList:
    """The list in which cards are shown: who looks at it, and what its cards say.

    ``shows_sync`` adds the publication status of the viewer's own events. ``further`` is for lists that show each series
    once. ``within`` is the group that the list is about. ``distances`` are measured from the place that was searched for.
    With ``is_hosting``, the viewer hosts all of the events, so the cards do not say so. With ``only_series``, every event
    represents a series.
    """

    public_url: str
    viewer: UserId | None
    shows_sync: bool = False
    further: Mapping[EventId, FurtherDates] = field(default_factory=dict)
    within: GroupId | None = None
    distances: Mapping[EventId, str] = field(default_factory=dict)
    is_hosting: bool = False
    only_series: bool = False


@dataclass(frozen=True, slots=True)
class ListedFacts:
    """The data that the cards of a list need in addition to the events. The number of queries does not depend on the
    number of events.

    ``sync`` has the publication status of the viewer's own events. ``names`` has the names of hosts and of attendees,
    ``portraits`` the pictures of attendees that the viewer may see. ``is_in_one_town``: there are several events, and no
    two in different towns.
    """

    card_list: CardList
    bar_inputs: Mapping[EventId, AnswerBarInput]
    bars: Mapping[EventId, AnswerBar]
    counts: Mapping[EventId, RsvpCounts]
    faces: Mapping[EventId, Sequence[UserId]]
    names: Mapping[UserId, str]
    portraits: Portraits
    badges: Mapping[EventId, Sequence[Badge]]
    sync: Mapping[EventId, str]
    is_in_one_town: bool


@dataclass(frozen=True, slots=True)
class DateTile:
    """A day, to be shown in place of a picture: ``Thu``, ``Mar``, 12."""

    weekday: str
    month: str
    day: int


@dataclass(frozen=True, slots=True)
class EventCard:
    """One event in a list. ``small_square`` and ``square`` are the paths of its picture for squares of at most 64 and 112
    CSS pixels, ``thumbnail`` and ``picture`` those for small and large areas of other shapes. ``going`` says how many
    people are going and how many places are left.

    ``faces`` are the first attendees, as far as the viewer may see them. ``further`` is set if the card represents a
    series. ``tile`` is the day in the event's time zone. ``language`` is that of the title, if it is known and not the
    page's. ``spot`` is the beginning of ``place``, without the town, if all events of the list are in the same town;
    otherwise empty.
    """

    slug: str
    title: str
    time_tag: Markup | str
    zone: ShownZone | None
    place: str
    host: str
    small_square: str
    square: str
    thumbnail: str
    picture: str
    tone: int
    is_cancelled: bool
    faces: Sequence[Avatar]
    going: str
    badge: Badge | None
    further: FurtherDates | None
    distance: str = ""
    tile: DateTile | None = None
    language: str = ""
    spot: str = ""


@dataclass(slots=True)
class ListedDay:
    """The events of one day. ``short`` is like ``Thu 12 Mar``. ``relative`` is ``Today``, ``Tomorrow`` or empty."""

    key: str
    words: str
    short: str
    relative: str = ""
    items: list[EventCard] = field(default_factory=list)


async def day_cards(reader: Reader, events: Sequence[Event], card_list: CardList) -> list[ListedDay]:
    """Cards of these events, in order, grouped by day."""
    return grouped_by_day(events, await facts_of(reader, events, card_list), reader.now)


async def facts_of(reader: Reader, events: Sequence[Event], card_list: CardList) -> ListedFacts:
    """The data that the cards of these events show, limited to what the viewer of the list may know."""
    viewer = card_list.viewer
    ids = [event.id for event in events]
    counts = await counts_shown(reader, ids)
    own_rsvps = await attendance_queries.of_user(reader, viewer, ids) if viewer else {}
    hosted = await event_access.managed_among(reader, events, viewer)
    bar_inputs = await bar_inputs_of(reader, events, viewer, own_rsvps=own_rsvps, counts=counts, hosted=hosted)
    faces = await faces_of(reader, list(bar_inputs.values()))
    attendees = [one for several in faces.values() for one in several]
    return ListedFacts(
        card_list,
        bar_inputs,
        {event_id: answer_bar_of(bar_input) for event_id, bar_input in bar_inputs.items()},
        counts,
        faces,
        await shown_names(reader, [*(event.author_id for event in events), *attendees]),
        await portraits_of(reader, viewer, attendees),
        await badges.in_a_list(reader, events, card_list.public_url, within=card_list.within),
        await _sync_of(reader, events, viewer) if card_list.shows_sync and viewer else {},
        len(events) > 1 and len({event.place.locality for event in events if event.place.locality}) == 1,
    )


def day_in_row(event: Event, now: Instant) -> str:
    """``Tomorrow`` or ``Tue 24 Nov``: the day of an event, to be shown next to its time."""
    return _relative_day(event, now) or _day_heading(event, now)[2]


def grouped_by_day(events: Sequence[Event], facts: ListedFacts, now: Instant) -> list[ListedDay]:
    """The events grouped by day, in order. Today and tomorrow are labelled."""
    days: list[ListedDay] = []
    for event in events:
        key, words, short = _day_heading(event, now)
        if not days or days[-1].key != key:
            days.append(ListedDay(key, words, short, _relative_day(event, now)))
        days[-1].items.append(card_of(event, facts))
    return days


def with_days(listed: Sequence[ListedDay]) -> list[tuple[str, EventCard]]:
    """The same events as one list without headings, in which each event has its day."""
    return [(day.relative or day.short, card) for day in listed for card in day.items]


def _day_heading(event: Event, now: Instant) -> tuple[str, str, str]:
    if event.starts_at is None:
        return "later", gettext("Date to be announced"), gettext("Date to be announced")
    starts = time_and_place.local_time(event, event.starts_at)
    today = time_and_place.local_time(event, now).date()
    return starts.date().isoformat(), formatting.day(starts, today), formatting.short_day(starts, today)


def _relative_day(event: Event, now: Instant) -> str:
    """``Today`` or ``Tomorrow`` in the event's time zone, or empty."""
    if event.starts_at is None:
        return ""
    starts, today = (time_and_place.local_time(event, at).date() for at in (event.starts_at, now))
    return formatting.relative_day(starts, today)


def title_of(event: Event) -> str:
    """The title of an event in a list. A draft may have none."""
    return event.title or gettext("Untitled draft")


def zone_in_list(event: Event) -> ShownZone | None:
    """The zone to show after the time of an event in a list.

    People who attend in person need the local time of the place, which needs no zone. If the record of another app names
    no zone, the time is in UTC instead.
    """
    return None if event.content.mode is Mode.IN_PERSON and event.time_zone != "UTC" else zone_of(event)


def card_of(event: Event, facts: ListedFacts) -> EventCard:
    """The card of one event."""
    return EventCard(
        slug=event.slug,
        title=title_of(event),
        time_tag=start_tag(event, time_and_place.clock_label(event)),
        zone=zone_in_list(event),
        place=place_label(event, is_over=event.is_over(facts.bar_inputs[event.id].now)),
        host=facts.names[event.author_id],
        small_square=thumbnail(event.content, Size.SMALL_SQUARE),
        square=thumbnail(event.content, Size.SQUARE),
        thumbnail=thumbnail(event.content),
        picture=thumbnail(event.content, Size.SMALL),
        tone=tone_for(event.content),
        is_cancelled=event.is_cancelled,
        faces=[avatar_of(one, facts.names[one], facts.portraits) for one in facts.faces.get(event.id, ())],
        going=going_label(event, facts),
        badge=_badge(event, facts),
        further=facts.card_list.further.get(event.id),
        distance=facts.card_list.distances.get(event.id, ""),
        tile=_tile_of(event),
        language=languages.marked_as(event.content.title, event.content.description, spoken=event.content.languages)
        if event.title
        else "",
        spot=event.place.name if facts.is_in_one_town and event.content.mode is Mode.IN_PERSON else "",
    )


def _tile_of(event: Event) -> DateTile | None:
    if event.starts_at is None:
        return None
    starts = time_and_place.local_time(event, event.starts_at)
    return DateTile(formatting.weekday_in_short(starts), formatting.month(starts), starts.day)


def going_label(event: Event, facts: ListedFacts) -> str:
    """``5 going, 19 places left``; for people who have a place, only ``5 going``; once the event is over, ``5 were
    going``. Empty if nobody is going and no limit is set, or if the event is cancelled.
    """
    if event.is_cancelled:
        return ""
    counts, bar_input = facts.counts.get(event.id, NO_COUNTS), facts.bar_inputs[event.id]
    if event.is_over(bar_input.now):
        return ngettext("%(number)s was going", "%(number)s were going", counts.going) if counts.going else ""
    going = ngettext("%(number)s going", "%(number)s going", counts.going) if counts.going else ""
    if bar_input.rsvp is not None and bar_input.rsvp.is_seated:
        # On phones, the rest would leave no room for “You’re going”.
        return going
    if counts.waiting:
        waiting = ngettext("%(number)s on the waitlist", "%(number)s on the waitlist", counts.waiting)
        return f"{going}, {waiting}" if going else waiting
    free = attendee_summary.places_left(event, counts)
    if not free:
        return going
    if not going:
        return ngettext("%(number)s place left", "%(number)s places left", free)
    return ngettext("%(going)s, %(number)s place left", "%(going)s, %(number)s places left", free, going=going)


def _badge(event: Event, facts: ListedFacts) -> Badge | None:
    about = facts.badges.get(event.id, ())
    card_list = facts.card_list
    if card_list.only_series and event.origin is RecordOrigin.HERE:
        # The row says that it repeats, and leads to the series, which names its group.
        about = ()
    return badge_in_list(
        facts.bar_inputs[event.id],
        facts.bars[event.id],
        status=str(STATUS_LABELS[event.status]),
        sync=facts.sync.get(event.id, ""),
        origin=about[0] if about else None,
        is_own_list=card_list.is_hosting,
        shows_waitlist=facts.counts.get(event.id, NO_COUNTS).waiting > 0,
        has_more_dates=event.id in card_list.further,
    )


async def further_dates(reader: Reader, events: Sequence[Event]) -> Mapping[EventId, FurtherDates]:
    """For each event that represents a series, the label of its further dates and the page of the series. Other events
    are left out.
    """
    series_id_by_event = {
        event.id: SeriesId(event.position_in_series.series_id) for event in events if event.position_in_series
    }
    series = await series_queries.by_ids(reader, list(dict.fromkeys(series_id_by_event.values())))
    numbers = await more_dates(reader, events)
    dates_by_event = {}
    for event_id, series_id in series_id_by_event.items():
        shown_series = series.get(series_id)
        if shown_series is None or shown_series.deleted_at is not None or shown_series.is_hidden:
            continue
        label = _more_dates_label(numbers.get(event_id, 0), goes_on=_has_unstored_dates(shown_series))
        if label:
            dates_by_event[event_id] = FurtherDates(series_path(shown_series.slug), label)
    return dates_by_event


def _has_unstored_dates(series: Series) -> bool:
    """Whether the series has dates that are not stored. A remote or detected series has only its stored dates."""
    return (
        series.status is SeriesStatus.ACTIVE
        and not series.is_read_only
        and bool(expansion.following(series.timing.pattern, series.stored_until, 1))
    )


def _more_dates_label(number: int, *, goes_on: bool) -> str:
    # If the series continues, the number of stored dates is not the number of dates.
    if goes_on:
        return gettext("More dates")
    if number == 0:
        return ""
    return ngettext("%(number)s more date", "%(number)s more dates", number)


async def _sync_of(reader: Reader, events: Sequence[Event], viewer: UserId) -> dict[EventId, str]:
    """The publication status of the viewer's own events. Events with this person's usual status are left out."""
    own_events = [event for event in events if event.author_id == viewer]
    publications_of = await publication_status.statuses(
        reader, publications.PublicationKind.EVENT, [event.id for event in own_events]
    )
    has_agreed = (await consent(reader, viewer)).is_given
    statuses = {
        event.id: event_status(event, publications_of[event.id], reader.now, has_agreed=has_agreed)
        for event in own_events
    }
    # People who do not publish anything do not expect their events to have records.
    usual = RecordStatus.PUBLISHED() if has_agreed else RecordStatus.ONLY_HERE()
    return {event_id: explain(status) for event_id, status in statuses.items() if status != usual}
