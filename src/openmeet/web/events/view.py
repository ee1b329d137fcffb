"""View model of the event page for one viewer. All decisions are made in this module; the template only places the
values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote, urlencode, urlsplit

from groundwork.clock import HOUR, Instant, to_datetime
from groundwork.database.transaction import Reader
from groundwork.http.forms import FormState
from openmeet.domain.attendance import seats
from openmeet.domain.attendance.answer_badges import Badge
from openmeet.domain.attendance.answer_bar import REPLY_OF_STATUS
from openmeet.domain.attendance.attendee_summary import sees_attendee_names
from openmeet.domain.attendance.model import (
    SEATED_STATUSES,
    Attendance,
    AttendanceStatus,
    PendingFor,
    RsvpCounts,
    RsvpReply,
)
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.calendars.entries import conflicts
from openmeet.domain.calendars.model import CalendarEntry, ExcludedEvent, Span
from openmeet.domain.covers.model import cover_for, tone_for
from openmeet.domain.events import permissions, time_and_place
from openmeet.domain.events.content import Content
from openmeet.domain.events.disclosure import NOTHING_PRIVATE, PrivateDetails
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import Event
from openmeet.domain.events.permissions import EventPermission, EventRole
from openmeet.domain.events.time_and_place import place_label, place_lines, start_label
from openmeet.domain.events.values import EventLink, Mode, Visibility
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS
from openmeet.domain.groups.model import Group
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.i18n import formatting, languages
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.i18n.markdown import summary_of
from openmeet.recurrence import wall_time
from openmeet.recurrence.wall_time import local_of
from openmeet.web.attendance import forms
from openmeet.web.attendance.forms import AnswerFields
from openmeet.web.events.listing import STATUS_LABELS
from openmeet.web.media.pages import PictureView
from openmeet.web.site.faces import Avatar, Portraits, avatar_of
from openmeet.web.site.reader_zone import zone_of
from openmeet.web.site.time_tags import span_tags, span_tags_in_two_lines

# If there are many attendees, show the first ones and the number of the others.
SHOWN_PEOPLE = 30
# Below the path of the event.
PEOPLE_PAGE = "people"
SHOWN_LINKS = 60
# Maximum number of conflicts shown.
MAX_CONFLICTS = 3
_MAX_DAYS_AHEAD = 14


@dataclass(frozen=True, slots=True)
class TopicLink:
    """A topic or tag, with a link that searches for it."""

    words: str
    path: str


@dataclass(frozen=True, slots=True)
class AttendeeView:
    name: str
    face: Avatar
    is_you: bool
    from_network: bool
    companions: int = 0
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class AttendeeGroupView:
    """People who gave the same answer. ``sentence`` names the first of them; empty if all attend privately. ``kind`` is
    ``maybe`` or ``waitlist`` for those whose number is in their heading.
    """

    words: LazyText
    people: list[AttendeeView]
    more: int
    sentence: str
    kind: str = ""

    @property
    def says_all(self) -> bool:
        """Whether the sentence names everybody, and the list would not say more."""
        return (
            not self.more
            and all(not (one.companions or one.is_private or one.from_network) for one in self.people)
            and len(self.people) <= _NAMED
        )


@dataclass(frozen=True, slots=True)
class ShownLink:
    uri: str
    name: str
    is_web: bool


@dataclass(frozen=True, slots=True)
class CalendarConflict:
    """One conflict of the viewer's calendar with the event. Only this viewer sees it. ``path`` is empty for entries of
    subscribed calendars. ``when`` is in the event's time zone.
    """

    title: str
    path: str
    when: str


_OFFERED, _WAITLISTED = lazy("A place is held for"), lazy("On the waitlist")
# Headings of the list of people, in order.
_GROUPS = {
    **dict.fromkeys(SEATED_STATUSES, lazy("Going")),
    AttendanceStatus.INTERESTED: lazy("Maybe"),
    AttendanceStatus.WAITLISTED: _WAITLISTED,
    AttendanceStatus.PENDING: lazy("Waiting for the host’s answer"),
}
# Without people to show, the list leaves them out, and their numbers are above it.
_COUNTED_ABOVE = (_GROUPS[AttendanceStatus.INTERESTED], _OFFERED, _WAITLISTED)
_KINDS = {_GROUPS[AttendanceStatus.INTERESTED]: "maybe", _WAITLISTED: "waitlist"}
_NAMED = 3


@dataclass(frozen=True, slots=True)
class EventViewer:
    """The viewer of an event page, and what they may know.

    ``role`` is their role in hosting. ``is_hosting`` is True if they decide about RSVPs. ``private`` has the details
    that they may see. ``group`` is None if they may not see the group of the event. ``zone`` is their time zone.
    """

    caller: Caller | None
    own_rsvp: Attendance | None = None
    role: EventRole = EventRole.NOBODY
    is_hosting: bool = False
    private: PrivateDetails = NOTHING_PRIVATE
    group: Group | None = None
    zone: str = ""

    @property
    def user_id(self) -> UserId | None:
        return self.caller.user_id if self.caller else None


@dataclass(frozen=True, slots=True)
class EventPeople:
    """The people on the page of an event. ``names`` has the names of the author, the co-hosts and the attendees.
    ``fields`` are those of the viewer's answer.
    """

    counts: RsvpCounts
    attendees: Sequence[RsvpListEntry]
    co_host_ids: Sequence[UserId]
    names: Mapping[UserId, str]
    portraits: Portraits
    fields: AnswerFields


@dataclass(frozen=True, slots=True)
class RequestedReply:
    """The replies in the URL: one to preselect, and one for an undo button to send. Empty if the URL has none."""

    reply: str = ""
    undo: str = ""


def event_context(
    event_registration: EventRegistration,
    viewer: EventViewer,
    people: EventPeople,
    requested: RequestedReply,
    now: Instant,
) -> dict[str, object]:
    """The template's context without the answer bar, hosting and publication status."""
    event = event_registration.event
    return {
        **_hosts_context(event, viewer, people),
        **_answers_context(event_registration, viewer, people, requested, now),
        **_place_context(event, viewer.private, viewer.zone, now),
        **date_words_of(event, now),
        **about_of(event),
        "event": event,
        "group": viewer.group,
        "publish_at_words": _publish_at_label(event),
        "removal_notice": time_and_place.removal_notice(event, now),
        "summary": f"{start_label(event)} · {place_label(event)}. {summary_of(event.content.description)}".strip(),
        "cover": cover_for(event.content),
        "tone": tone_for(event.content),
        "is_over": event.is_over(now),
        "links": [_link_view(link) for link in links_apart(event)[:SHOWN_LINKS]],
        "chips": _event_chips(event, now),
        # A record that another app deleted no longer has a URI.
        "record_uri": None if event.is_without_record else event.record_uri,
    }


def _hosts_context(event: Event, viewer: EventViewer, people: EventPeople) -> dict[str, object]:
    """Who hosts the event, and what the viewer may do as a host."""
    role = viewer.role
    host = people.names[event.author_id]
    return {
        "host": host,
        "host_face": avatar_of(event.author_id, host, people.portraits),
        "is_host": viewer.user_id == event.author_id,
        "co_hosts": [people.names[user_id] for user_id in people.co_host_ids],
        "is_co_host": role is EventRole.CO_HOST,
        "is_former": role is EventRole.FORMER,
        "is_hosting": viewer.is_hosting,
        "can_edit": permissions.may(role, EventPermission.EDIT) and not event.is_read_only,
        "can_cancel": permissions.may(role, EventPermission.CANCEL) and not event.is_read_only,
        "can_delete": permissions.may(role, EventPermission.DELETE) and not event.is_read_only,
    }


def _place_context(event: Event, private: PrivateDetails, zone: str, now: Instant) -> dict[str, object]:
    return {
        "place_lines": place_lines(
            event.content.mode,
            private.place,
            hides_place=private.hides_place,
            zone=zone,
            is_over=event.is_over(now),
        ),
        "private": private,
        "join_url": join_url_of(event, private),
        "directions_url": directions_url_of(event, private),
        "join_from_label": time_and_place.join_from_label(event, private),
    }


def _answers_context(
    event_registration: EventRegistration,
    viewer: EventViewer,
    people: EventPeople,
    requested: RequestedReply,
    now: Instant,
) -> dict[str, object]:
    """The RSVPs of others, the viewer's own, and the form for it."""
    event, settings = event_registration.event, event_registration.settings
    own_rsvp = viewer.own_rsvp
    can_answer = takes_answers(event, now)
    says_yes = own_rsvp is not None and REPLY_OF_STATUS.get(own_rsvp.status) is RsvpReply.GOING
    sees_list = viewer.is_hosting or sees_attendee_names(settings, is_going=own_rsvp is not None and own_rsvp.is_seated)
    return {
        "counts": people.counts,
        "own_rsvp": own_rsvp,
        "can_answer": can_answer,
        "wanted": requested.reply,
        "asked_first": settings.questions if can_answer and not viewer.is_hosting and not says_yes else (),
        # Required questions come before the RSVP; optional ones can be answered afterwards.
        "unanswered": own_rsvp is not None
        and says_yes
        and can_answer
        and any(not own_rsvp.form_responses.get(one.id) for one in settings.questions),
        "people": _attendee_groups(people, viewer.user_id, is_host=viewer.is_hosting) if sees_list else [],
        "people_path": f"{event_path(event.slug)}/{PEOPLE_PAGE}" if len(people.attendees) >= SHOWN_PEOPLE else "",
        "sees_list": sees_list,
        "list_audience": settings.list_audience.value,
        "fields": people.fields,
        "typed": FormState(forms.values_of(own_rsvp)),
        "takes_guests": can_answer and settings.takes_guests and event.visibility is not Visibility.PRIVATE,
        "undo": requested.undo if own_rsvp is not None and can_answer else "",
        "limits": seats.limits_of(event_registration),
    }


def takes_answers(event: Event, now: Instant) -> bool:
    """Whether people can still answer."""
    return not event.is_cancelled and not event.is_over(now) and not event.is_held


def join_url_of(event: Event, private: PrivateDetails) -> str:
    """The link to join online, if the event takes place online and the viewer may know it."""
    return private.web_link if event.content.mode is not Mode.IN_PERSON else ""


def directions_url_of(event: Event, private: PrivateDetails) -> str:
    """The URL of directions to the event. Empty if it has no place, or the viewer does not even know its town."""
    place = private.place
    if event.content.mode is Mode.ONLINE:
        return ""
    if place.latitude:
        to = f"{place.latitude},{place.longitude}"
    elif place.is_country_alone:
        return ""
    else:
        to = ", ".join(place.lines)
    return "https://www.openstreetmap.org/directions?" + urlencode({"to": to}) if to else ""


def date_words_of(event: Event, now: Instant) -> dict[str, object]:
    """The date and time of the event, in words for its page."""
    if event.starts_at is None:
        keys = "when when_day when_clock when_ahead zone zone_shown starts_iso dt_start dt_end tile_month tile_day"
        return dict.fromkeys(keys.split(), "")
    starts = time_and_place.local_time(event, event.starts_at)
    when_day, when_clock = span_tags_in_two_lines(event, now)
    return {
        "when": span_tags(event, now),
        "when_day": when_day,
        "when_clock": when_clock,
        "when_ahead": _days_ahead_label((starts.date() - time_and_place.local_time(event, now).date()).days),
        "zone": zone_of(event),
        "zone_shown": time_and_place.zone_shown(event),
        # An all-day date is not converted between zones.
        "starts_iso": "" if event.is_all_day else formatting.iso(event.starts_at),
        **dict(zip(("dt_start", "dt_end"), _microformat_dates(event), strict=True)),
        "tile_month": formatting.month(starts),
        "tile_day": str(starts.day),
    }


def _days_ahead_label(number: int) -> str:
    """``today``, ``tomorrow`` or ``in 5 days``. Empty in the past and more than two weeks ahead."""
    if not 0 <= number <= _MAX_DAYS_AHEAD:
        return ""
    names = {0: gettext("today"), 1: gettext("tomorrow")}
    return names.get(number) or ngettext("in %(number)s day", "in %(number)s days", number)


def _microformat_dates(event: Event) -> tuple[str, str]:
    """Start and end for the h-event of the page, in the time zone of the event: days if it is all day, otherwise times
    with their UTC offset. The end can be empty.
    """
    days = time_and_place.days_of(event)
    if days is not None:
        return days[0].isoformat(), days[1].isoformat()
    zone = wall_time.zone(time_and_place.zone_shown(event))
    start, end = (
        "" if at is None else to_datetime(at).astimezone(zone).isoformat() for at in (event.starts_at, event.ends_at)
    )
    return start, end


def _publish_at_label(event: Event) -> str:
    if event.publish_at is None:
        return ""
    local = time_and_place.local_time(event, event.publish_at)
    return f"{formatting.span(local, None)} {formatting.zone_label(local, time_and_place.zone_shown(event))}"


def about_of(event: Event) -> dict[str, object]:
    """Further properties of the event, as text."""
    shown = event.content.picture
    return {
        "picture": shown and PictureView(f"/media/{shown.key}", shown.alt, shown.width, shown.height),
        "price": event.content.tickets.price,
        "ticket_url": event.content.tickets.url if is_web_address(event.content.tickets.url) else "",
        "categories": category_links(event.content),
        "tags": [TopicLink(one, "/?" + urlencode({"tag": one})) for one in event.content.tags],
        "text_language": languages.marked_as(
            event.content.title, event.content.description, spoken=event.content.languages
        ),
        "languages": [languages.name_of(code) for code in event.content.languages],
        "access": [ACCESS_LABELS[one] for one in event.content.accessibility.features],
        "access_note": event.content.accessibility.note,
    }


def category_links(content: Content) -> list[TopicLink]:
    return [
        TopicLink(str(CATEGORY_LABELS[one]), "/?" + urlencode({"category": one.value})) for one in content.categories
    ]


def links_apart(event: Event) -> list[EventLink]:
    """The links of the event without the one to join it, which records repeat among the others."""
    joins = event.content.online_url if event.content.mode is not Mode.IN_PERSON else ""
    return [link for link in event.content.links if link.uri != joins]


def _link_view(link: EventLink) -> ShownLink:
    # Browsers cannot open `at:` URIs. Everything except http and https is shown as plain text.
    return ShownLink(link.uri, link.name, urlsplit(link.uri).scheme in {"http", "https"} and is_web_address(link.uri))


def _event_chips(event: Event, now: Instant) -> list[Badge]:
    chips = []
    if event.is_draft:
        chips.append(Badge(gettext("Draft"), "warn"))
    if STATUS_LABELS[event.status]:
        chips.append(Badge(str(STATUS_LABELS[event.status]), "warn"))
    if event.is_over(now) and not event.is_cancelled:
        chips.append(Badge(gettext("Over"), "plain"))
    match event.visibility:
        case Visibility.UNLISTED:
            chips.append(Badge(gettext("Unlisted: only with this link"), "plain"))
        case Visibility.PRIVATE:
            chips.append(Badge(gettext("Members only") if event.group else gettext("Private"), "plain"))
        case Visibility.PUBLIC:
            pass
    return chips


def _attendee_groups(people: EventPeople, viewer: UserId | None, *, is_host: bool) -> list[AttendeeGroupView]:
    counts = people.counts
    # Only hosts decide about requests. They see everybody who waits above the list, with decision buttons. Everybody else
    # sees at most their own request.
    own_requests = sum(
        one.party for one in people.attendees if one.pending_for in {PendingFor.APPROVAL, PendingFor.UNCLEAR}
    )
    totals = {
        _GROUPS[AttendanceStatus.ATTENDING]: counts.going,
        _GROUPS[AttendanceStatus.INTERESTED]: counts.interested,
        _OFFERED: counts.offered,
        _WAITLISTED: counts.waiting,
        _GROUPS[AttendanceStatus.PENDING]: 0
        if is_host
        else counts.pending_people - counts.awaiting_approval + own_requests,
    }
    shown: dict[LazyText, list[AttendeeView]] = {words: [] for words in totals}
    for one in people.attendees:
        is_offered = one.status is AttendanceStatus.WAITLISTED and one.offered_until is not None
        shown[_OFFERED if is_offered else _GROUPS[one.status]].append(
            attendee_view(one, people.names[one.user_id], people.portraits, viewer)
        )
    groups = []
    for words, total in totals.items():
        listed = shown[words] if total else []
        more = max(0, total - sum(1 + person.companions for person in listed))
        if listed or (more and words not in _COUNTED_ABOVE):
            groups.append(AttendeeGroupView(words, listed, more, _named_people(listed, total), _KINDS.get(words, "")))
    return groups


def _named_people(listed: Sequence[AttendeeView], total: int) -> str:
    """``You, Ben, Cleo and 9 more``: the first of ``total`` people, without others who attend privately."""
    shown = sorted((one for one in listed if one.is_you or not one.is_private), key=lambda one: not one.is_you)
    names = [gettext("You") if one.is_you else one.name for one in shown[:_NAMED]]
    if not names:
        return ""
    if total > len(names):
        return ngettext(
            "%(names)s and %(number)s more", "%(names)s and %(number)s more", total - len(names), names=", ".join(names)
        )
    if len(names) == 1:
        return names[0]
    return gettext("%(others)s and %(last)s", others=", ".join(names[:-1]), last=names[-1])


def attendee_view(attendee: RsvpListEntry, name: str, portraits: Portraits, viewer: UserId | None) -> AttendeeView:
    return AttendeeView(
        name,
        avatar_of(attendee.user_id, name, portraits),
        attendee.user_id == viewer,
        attendee.kind is UserKind.SHADOW and not attendee.is_guest,
        attendee.party - 1,
        attendee.is_private,
    )


async def paths_of_hosts(reader: Reader, hosts: Sequence[UserId], *, is_public: bool) -> dict[UserId, str]:
    """The path of each host's public profile. Empty for hosts who have none."""
    people = await kinds(reader, hosts) if is_public else {}
    return {one: f"/people/{quote(one)}" if people.get(one) is UserKind.PERSON else "" for one in hosts}


async def conflicts_of(reader: Reader, event: Event, viewer: UserId | None) -> list[CalendarConflict]:
    """The viewer's calendar conflicts in order, without the event itself. Empty for visitors who are not signed in, and
    once the event is over or cancelled.
    """
    if viewer is None or event.starts_at is None or event.is_cancelled or event.is_over(reader.now):
        return []
    # An event without an end is assumed to last one hour, as in the calendar.
    ends_at = event.ends_at if event.ends_at is not None else Instant(event.starts_at + HOUR)
    itself = ExcludedEvent(event.id, event.title, event.starts_at)
    [entries] = await conflicts(reader, viewer, [Span(event.starts_at, ends_at)], exclude=itself)
    day = time_and_place.local_time(event, event.starts_at).date()
    return [
        CalendarConflict(
            one.title, event_path(one.slug) if one.slug else "", _time_label(one, time_and_place.zone_shown(event), day)
        )
        for one in entries[:MAX_CONFLICTS]
    ]


def _time_label(entry: CalendarEntry, zone: str, day: date) -> str:
    """The times, with the date if it is not the day of the event."""
    if entry.is_all_day:
        return gettext("all day")
    starts = local_of(entry.starts_at, zone)
    ends = local_of(entry.ends_at, zone) if entry.has_end else None
    if starts.date() == day and (ends is None or ends.date() == day):
        return formatting.time_of_day(starts) if ends is None else formatting.hours(starts, ends)
    return formatting.span(starts, ends)
