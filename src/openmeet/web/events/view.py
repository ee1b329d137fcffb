"""The event page for one viewer: all decisions are made here, the template only places the values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from groundwork.clock import Instant
from openmeet.domain.attendance import rules
from openmeet.domain.attendance.lists import Attendee
from openmeet.domain.attendance.model import SEATED, Attendance, AttendanceStatus, RsvpCounts, RsvpReply
from openmeet.domain.attendance.registration import DEFAULT, ListAudience, RegistrationSettings
from openmeet.domain.events import permissions, time_words
from openmeet.domain.events.disclosure import NOTHING_PRIVATE, PrivateDetails
from openmeet.domain.events.model import Event, EventLink, Mode, Visibility
from openmeet.domain.events.permissions import EventPermission, EventRole
from openmeet.domain.events.rules import is_web_address
from openmeet.domain.events.vocabulary import ACCESS_WORDS, CATEGORY_WORDS
from openmeet.domain.groups.model import Group
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.emails.rsvp_confirmation import before_words, offer_words, pending_words, too_large_words
from openmeet.i18n import formatting, languages
from openmeet.i18n.markdown import summary_of
from openmeet.recurrence import wall_time
from openmeet.web.attendance import forms
from openmeet.web.events.listing import STATUS_WORDS, mine_words, place_lines, place_words, tone_of
from openmeet.web.media.urls import PictureView
from openmeet.web.site.forms import Typed

# Show the first attendees of many, and the number of the others.
SHOWN_PEOPLE = 30
SHOWN_LINKS = 60


@dataclass(frozen=True, slots=True)
class Chip:
    words: str
    tone: str


@dataclass(frozen=True, slots=True)
class TopicLink:
    """A topic or tag, and the search for it."""

    words: str
    path: str


@dataclass(frozen=True, slots=True)
class ReplyButton:
    """One of the three replies; ``spoken`` is the label for screen readers."""

    value: str
    words: str
    spoken: str
    is_mine: bool
    is_main: bool


@dataclass(frozen=True, slots=True)
class AttendeeView:
    name: str
    initial: str
    tone: int
    is_you: bool
    from_network: bool
    guests: int = 0
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class AttendeeGroupView:
    """People with the same answer."""

    words: str
    people: list[AttendeeView]
    more: int
    total: int
    can_confirm: bool = False


@dataclass(frozen=True, slots=True)
class ShownLink:
    uri: str
    name: str
    is_web: bool


_GROUPS = (
    ("Going", SEATED),
    ("Interested", (AttendanceStatus.INTERESTED,)),
    ("On the waitlist", (AttendanceStatus.WAITLISTED,)),
    ("Waiting for the host’s answer", (AttendanceStatus.PENDING,)),
)

_REPLY_OF = {
    AttendanceStatus.ATTENDING: RsvpReply.GOING,
    AttendanceStatus.ATTENDED: RsvpReply.GOING,
    AttendanceStatus.WAITLISTED: RsvpReply.GOING,
    AttendanceStatus.PENDING: RsvpReply.GOING,
    AttendanceStatus.INTERESTED: RsvpReply.INTERESTED,
    AttendanceStatus.DECLINED: RsvpReply.DECLINED,
}


def view_of(
    event: Event,
    caller: Caller | None,
    *,
    host: str,
    mine: Attendance | None,
    waiting_before: int,
    counts: RsvpCounts,
    attendees: Sequence[Attendee],
    names: Mapping[UserId, str],
    wanted: str,
    now: Instant,
    group: Group | None = None,
    private: PrivateDetails = NOTHING_PRIVATE,
    co_hosts: Sequence[str] = (),
    standing: EventRole = EventRole.NOBODY,
    joining: RegistrationSettings = DEFAULT,
    is_hosting: bool = False,
    undo: str = "",
    is_full: bool = False,
) -> dict[str, object]:
    """The template's context, without hosting and publication status. ``private``: what this viewer may know.

    ``is_full``: new attendees join the waitlist.
    """
    viewer = caller.user_id if caller else None
    is_host = viewer == event.author_id
    can_answer = not event.is_cancelled and not event.is_over(now) and not event.is_held
    # Invited people, and those approved before, need no approval.
    is_let_in = mine is not None and (mine.approved_at is not None or mine.status is AttendanceStatus.INVITED)
    asks_host = can_answer and joining.needs_approval and not is_hosting and not is_let_in
    says_yes = mine is not None and _REPLY_OF.get(mine.status) is RsvpReply.GOING
    sees_list = is_hosting or sees_who_comes(joining, is_going=mine is not None and mine.is_seated)
    return {
        "event": event,
        "host": host,
        "is_host": is_host,
        "co_hosts": co_hosts,
        "is_co_host": standing is EventRole.CO_HOST,
        "can_edit": permissions.may(standing, EventPermission.EDIT) and not event.is_read_only,
        "is_former": standing is EventRole.FORMER,
        "can_cancel": permissions.may(standing, EventPermission.CANCEL) and not event.is_read_only,
        "can_delete": permissions.may(standing, EventPermission.DELETE) and not event.is_read_only,
        "group": group,
        "publish_at_words": _publish_at_words(event),
        "summary": f"{time_words.start_words(event)} · {place_words(event)}. {summary_of(event.description)}".strip(),
        "tone": tone_of(event.slug),
        **date_words_of(event),
        "is_over": event.is_over(now),
        "place_lines": place_lines(event.mode, private.place, hides_place=private.hides_place),
        "private": private,
        "join_url": private.web_link if event.mode is not Mode.IN_PERSON else "",
        "join_from_words": time_words.join_from_words(event, private),
        **about_of(event),
        "links": [_shown(link) for link in event.links[:SHOWN_LINKS]],
        "chips": _chips(event, now),
        "counts": counts,
        "mine": mine,
        "mine_words": _mine_words(event, mine, now),
        "mine_hint": _mine_hint(event, joining, mine, waiting_before, now),
        "can_answer": can_answer,
        "wanted": wanted,
        "replies": _replies(event, mine, wanted, is_full=is_full, waiting=counts.waitlisted, asks_host=asks_host),
        "asks_host": asks_host,
        "asked_first": joining.questions if can_answer and not is_hosting and not says_yes else (),
        # Required questions come before the RSVP; optional ones can be answered afterwards.
        "unanswered": mine is not None
        and says_yes
        and can_answer
        and any(not mine.replies.get(one.id) for one in joining.questions),
        "people": _people(attendees, names, counts, viewer, is_host=is_hosting) if sees_list else [],
        "sees_list": sees_list,
        "list_audience": joining.list_audience.value,
        "is_hosting": is_hosting,
        "fields": forms.fields_of(event, joining, mine),
        "typed": Typed(forms.values_of(mine)),
        "takes_guests": can_answer and joining.takes_guests and event.visibility is not Visibility.PRIVATE,
        "undo": undo if mine is not None and can_answer else "",
        "limits": rules.limits_of(event, joining),
        "closes": _closes(event, joining, now),
        # A record that another app deleted has no URI any more.
        "record_uri": None if event.is_without_record else event.record_uri,
    }


def date_words_of(event: Event) -> dict[str, object]:
    """When it is, for a page."""
    if event.starts_at is None:
        return {"when": "", "zone_words": "", "starts_iso": "", "tile_month": "", "tile_day": ""}
    starts = wall_time.local_of(event.starts_at, event.time_zone)
    return {
        "when": time_words.tagged(event),
        "zone_words": time_words.zone_words(event),
        # An all-day date is not converted between zones.
        "starts_iso": "" if event.is_all_day else formatting.iso(event.starts_at),
        "tile_month": formatting.month(starts),
        "tile_day": str(starts.day),
    }


def _publish_at_words(event: Event) -> str:
    if event.publish_at is None:
        return ""
    local = wall_time.local_of(event.publish_at, event.time_zone)
    return f"{formatting.span(local, None)} {formatting.zone_words(local, event.time_zone)}"


def about_of(event: Event) -> dict[str, object]:
    """Further properties of the event as text."""
    shown = event.picture
    return {
        "picture": shown and PictureView(f"/media/{shown.key}", shown.alt, shown.width, shown.height),
        "price": event.tickets.price,
        "ticket_url": event.tickets.url if is_web_address(event.tickets.url) else "",
        "categories": [
            TopicLink(CATEGORY_WORDS[one], "/?" + urlencode({"category": one.value})) for one in event.categories
        ],
        "tags": [TopicLink(one, "/?" + urlencode({"tag": one})) for one in event.tags],
        "languages": [languages.name_of(code) for code in event.languages],
        "access": [ACCESS_WORDS[one] for one in event.accessibility.features],
        "access_note": event.accessibility.note,
    }


def _shown(link: EventLink) -> ShownLink:
    # Browsers cannot open `at:` URIs; anything but http and https is shown as text.
    return ShownLink(link.uri, link.name, urlsplit(link.uri).scheme in {"http", "https"} and is_web_address(link.uri))


def _chips(event: Event, now: Instant) -> list[Chip]:
    found = []
    if event.is_draft:
        found.append(Chip("Draft", "warn"))
    if STATUS_WORDS[event.status]:
        found.append(Chip(STATUS_WORDS[event.status], "warn"))
    if event.is_over(now) and not event.is_cancelled:
        found.append(Chip("Over", "plain"))
    match event.visibility:
        case Visibility.UNLISTED:
            found.append(Chip("Unlisted: only with this address", "plain"))
        case Visibility.PRIVATE:
            found.append(Chip("Members only" if event.group else "Private", "plain"))
        case Visibility.PUBLIC:
            pass
    return found


def sees_who_comes(joining: RegistrationSettings, *, is_going: bool) -> bool:
    """Whether attendees' names are shown to somebody who does not host the event."""
    match joining.list_audience:
        case ListAudience.EVERYONE:
            return True
        case ListAudience.ATTENDEES:
            return is_going
        case ListAudience.HOSTS:
            return False


def _closes(event: Event, joining: RegistrationSettings, now: Instant) -> str:
    """The registration deadline as text; empty if there is none."""
    at = rules.registration_closes_at(event, joining)
    if at is None or event.is_over(now):
        return ""
    local = wall_time.local_of(at, event.time_zone)
    return f"{'Answers were taken' if at <= now else 'Answer'} until {formatting.span(local, None)}."


def _mine_words(event: Event, mine: Attendance | None, now: Instant) -> str:
    if mine is None:
        return ""
    if event.is_cancelled or event.is_over(now):
        return mine_words(mine.status, is_past=True)
    return "A place is held for you" if mine.has_offer(now) else mine_words(mine.status, is_past=False)


def _mine_hint(
    event: Event, joining: RegistrationSettings, mine: Attendance | None, waiting_before: int, now: Instant
) -> str:
    if mine is None or event.is_cancelled or event.is_over(now):
        return ""
    if mine.status is AttendanceStatus.WAITLISTED:
        before = before_words(waiting_before)
        return (
            offer_words(event, mine, now)
            or too_large_words(event, joining, mine)
            or f"{before[0].upper()}{before[1:]}. When a place becomes free it is held for you, and you hear of it."
        )
    if mine.status is AttendanceStatus.PENDING:
        return pending_words(mine)
    if mine.party > 1 and mine.is_seated:
        return f"You come as {mine.party} people."
    if mine.status is AttendanceStatus.DECLINED:
        return "You said that you are not going."
    return ""


def _replies(
    event: Event, mine: Attendance | None, wanted: str, *, is_full: bool, waiting: int, asks_host: bool
) -> list[ReplyButton]:
    about = f"{event.title}, {time_words.start_words(event).partition(',')[0]}"
    said = _REPLY_OF.get(mine.status) if mine else None
    going = "Going"
    if mine is not None and mine.offered_until is not None:
        going = "Take the place"
    elif mine is not None and mine.status is AttendanceStatus.WAITLISTED:
        going = "On the waitlist"
    elif mine is not None and mine.status is AttendanceStatus.PENDING:
        going = "Asked to join"
    elif asks_host and said is not RsvpReply.GOING:
        going = "Ask to join"
    elif is_full and said is not RsvpReply.GOING:
        going = f"Join waitlist, {waiting} before you" if waiting else "Join waitlist"
    buttons = ((RsvpReply.GOING, going), (RsvpReply.INTERESTED, "Interested"), (RsvpReply.DECLINED, "Not going"))
    if mine is not None and mine.offered_until is not None:
        said = None
    main = said.value if said else wanted or RsvpReply.GOING.value
    return [
        ReplyButton(
            value=reply.value,
            words=f"{words} ✓" if reply is said else words,
            spoken=f"{words}: {about}" + (" (your answer)" if reply is said else ""),
            is_mine=reply is said,
            is_main=reply.value == main,
        )
        for reply, words in buttons
    ]


def _people(
    attendees: Sequence[Attendee],
    names: Mapping[UserId, str],
    counts: RsvpCounts,
    viewer: UserId | None,
    *,
    is_host: bool,
) -> list[AttendeeGroupView]:
    totals = (counts.going, counts.interested, counts.waitlisted, counts.unconfirmed)
    found = []
    for (words, statuses), total in zip(_GROUPS, totals, strict=True):
        people = [_person(one, names[one.user_id], viewer) for one in attendees if one.status in statuses]
        more = max(0, total - sum(1 + person.guests for person in people))
        if people or more:
            is_pending = AttendanceStatus.PENDING in statuses
            found.append(AttendeeGroupView(words, people, more, total, can_confirm=is_host and is_pending))
    return found


def _person(one: Attendee, name: str, viewer: UserId | None) -> AttendeeView:
    initial = next((char for char in name if char.isalnum()), "·").upper()
    return AttendeeView(
        name,
        initial,
        tone_of(one.user_id),
        one.user_id == viewer,
        one.kind is UserKind.SHADOW and not one.is_guest,
        one.party - 1,
        one.is_private,
    )
