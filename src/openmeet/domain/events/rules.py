"""Rules of one event: validation, visibility, when it may be changed. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from groundwork.clock import DAY, Instant
from groundwork.errors import InvalidForm, InvalidInput, Refused
from openmeet.domain.events import all_day as whole_days
from openmeet.domain.events import vocabulary
from openmeet.domain.events.map_points import point_in
from openmeet.domain.events.model import (
    MAX_ACCESS_NOTE,
    MAX_CAPACITY,
    MAX_CATEGORIES,
    MAX_DESCRIPTION,
    MAX_DOOR_NOTE,
    MAX_LANGUAGES,
    MAX_MINUTES_BEFORE,
    MAX_PLACE_PART,
    MAX_PRICE,
    MAX_REASON,
    MAX_TITLE,
    MAX_URL,
    Accessibility,
    Audience,
    Details,
    Event,
    Mode,
    Tickets,
    Venue,
    Visibility,
)
from openmeet.domain.events.vocabulary import AccessFeature, Category
from openmeet.domain.groups.model import INSIDE, GroupRole
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import C, choice
from openmeet.i18n import languages
from openmeet.i18n.markdown import is_visible, one_line
from openmeet.i18n.names import known_code
from openmeet.recurrence import wall_time

# A longer event is far more often a typing error in the end's year than an exhibition.
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Submission:
    """An event as typed: every field is text, so that nothing is lost when something is invalid.

    ``starts`` and ``ends`` are wall-clock times ``YYYY-MM-DDTHH:MM`` in ``time_zone``. With ``all_day`` they are the
    first and the last day; a time of day is ignored. Lists are separated by commas. ``point`` is whatever
    ``map_points.point_in`` parses.
    """

    title: str = ""
    starts: str = ""
    ends: str = ""
    time_zone: str = ""
    description: str = ""
    mode: str = Mode.IN_PERSON.value
    venue_name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    point: str = ""
    online_url: str = ""
    online_url_audience: str = Audience.ATTENDEES.value
    capacity: str = ""
    visibility: str = Visibility.PUBLIC.value
    all_day: str = ""
    place_audience: str = Audience.EVERYONE.value
    online_url_from: str = ""
    door_note: str = ""
    door_audience: str = Audience.ATTENDEES.value
    ticket_url: str = ""
    price: str = ""
    access: str = ""
    access_note: str = ""
    categories: str = ""
    tags: str = ""
    languages: str = ""


def check(typed: Submission, before: Event | None = None) -> Details:
    """Validate a submission. InvalidForm lists every invalid field. ``before``: the event being edited."""
    problems: dict[str, str] = {}
    title = one_line(typed.title)
    if not is_visible(title):
        problems["title"] = "Give the event a title."
    elif len(title) > MAX_TITLE:
        problems["title"] = f"A title has at most {MAX_TITLE} characters; this one has {len(title)}."
    description = typed.description.replace("\r\n", "\n").strip()
    if len(description) > MAX_DESCRIPTION:
        problems["description"] = f"A description has at most {MAX_DESCRIPTION} characters."

    starts = ends = None
    if not typed.starts:
        problems["starts"] = "Say when it starts."
    else:
        starts = _local(typed.starts, "starts", problems, is_day=bool(typed.all_day))
    if typed.ends:
        ends = _local(typed.ends, "ends", problems, is_day=bool(typed.all_day))
    if not typed.time_zone:
        problems["time_zone"] = "Say in which time zone these times are."
    elif not wall_time.is_zone(typed.time_zone):
        problems["time_zone"] = "We do not know this time zone; use a name like Europe/Berlin."
    if typed.all_day:
        starts_at, ends_at = _days(starts, ends, typed.time_zone, problems)
    else:
        starts_at, ends_at = _instants(starts, ends, typed.time_zone, problems)

    mode = choice(Mode, typed.mode, "mode", problems)
    audience = choice(Audience, typed.online_url_audience, "online_url_audience", problems)
    visibility = choice(Visibility, typed.visibility, "visibility", problems)
    for name in ("venue_name", "street", "postal_code", "locality", "region", "country"):
        if len(getattr(typed, name)) > MAX_PLACE_PART:
            problems[name] = f"At most {MAX_PLACE_PART} characters."
    if "country" not in problems and not _is_country(one_line(typed.country), before):
        problems["country"] = "We do not know this country. Choose one from the list, or leave it empty."
    point = point_in(typed.point) if typed.point.strip() else ("", "")
    if point is None:
        problems["point"] = (
            "We find no point in this. Write it like 52.52, 13.405 (latitude first), or paste a link from a map that has"
            " such numbers in it."
        )
    online_url = typed.online_url.strip()
    if online_url and not is_web_address(online_url):
        problems["online_url"] = "A link starts with https:// or http:// and names a host."
    capacity = _capacity(typed.capacity.strip(), problems)
    about = check_about(asdict(typed), problems)
    if (
        problems
        or starts is None
        or starts_at is None
        or mode is None
        or audience is None
        or visibility is None
        or point is None
    ):
        raise InvalidForm(problems)
    return Details(
        title=title,
        starts_local=starts.isoformat(timespec="seconds"),
        time_zone=typed.time_zone,
        starts_at=starts_at,
        ends_at=ends_at,
        description=description,
        mode=mode,
        venue=_venue(typed, point),
        online_url=online_url,
        online_url_audience=audience,
        links=before.links if before else (),
        capacity=capacity,
        visibility=visibility,
        is_all_day=bool(typed.all_day),
        picture=before.picture if before else None,
        **about,
    )


def starts_in_the_past(details: Details, before: Event | Details | None, now: Instant) -> bool:
    """Whether this newly chosen start is past: more often a wrong year than a past meeting to record."""
    begins = details.starts_at
    if details.is_all_day and details.ends_at is not None:
        # A day is not past while it lasts.
        begins = Instant(min(details.ends_at, details.starts_at + DAY))
    return begins < now and (before is None or before.starts_at != details.starts_at)


def check_reason(text: str) -> str:
    """Validate the reason of a cancellation; may be empty."""
    reason = text.replace("\r\n", "\n").strip()
    if len(reason) > MAX_REASON:
        raise InvalidForm({"reason": f"At most {MAX_REASON} characters."})
    return reason


class GroupEventAccess(StrEnum):
    """Access to a private event by group membership alone."""

    INSIDE = "inside"  # members of its group
    GUEST = "guest"  # never were in the group, or there is none: an invitation counts
    SHUT_OUT = "shut_out"  # left, or were removed: earlier RSVPs no longer give access


def access_by(role: GroupRole | None) -> GroupEventAccess:
    """The access that a role in the event's group gives to its private events."""
    if role in INSIDE:
        return GroupEventAccess.INSIDE
    return GroupEventAccess.SHUT_OUT if role in {GroupRole.LEFT, GroupRole.BANNED} else GroupEventAccess.GUEST


def may_see(
    event: Event,
    viewer: UserId | None,
    *,
    is_invited: bool,
    access: GroupEventAccess = GroupEventAccess.SHUT_OUT,
    is_co_host: bool = False,
    is_kept_away: bool = False,
) -> bool:
    """Whether the event exists for this person. ``is_invited``: has an RSVP row other than rejected.

    ``access`` matters for events of a group, ``is_co_host`` for drafts and private ones, too; the defaults are the
    narrowest (``seeing`` looks them up). ``is_kept_away``: its author blocks them, and they do not administer its
    group.
    """
    if viewer == event.author_id:
        return True
    if event.is_hidden:
        return False
    if is_co_host:
        return True
    if event.is_held:
        return False
    if event.visibility is not Visibility.PRIVATE:
        return True
    if is_kept_away:
        return False
    if event.group is None:
        return is_invited
    return access is GroupEventAccess.INSIDE or (access is GroupEventAccess.GUEST and is_invited)


def must_be_changeable(event: Event) -> None:
    """Raise Refused where it is only a copy from the network, or gone."""
    if event.is_read_only:
        raise Refused("This event is kept elsewhere; change it where it was written.", name="ReadOnly")
    if event.is_gone:
        raise Refused("This event has been removed.", name="EventRemoved")


def _local(text: str, field: str, problems: dict[str, str], *, is_day: bool = False) -> datetime | None:
    try:
        return wall_time.parse_local(whole_days.at_midnight(text) if is_day else text, field)
    except InvalidInput as wrong:
        problems[field] = wrong.why
        return None


def _instants(
    starts: datetime | None, ends: datetime | None, time_zone: str, problems: dict[str, str]
) -> tuple[Instant | None, Instant | None]:
    if starts is None or "time_zone" in problems:
        return None, None
    for field, local in (("starts", starts), ("ends", ends)):
        if local is not None and (instead := wall_time.instead_of(local, time_zone)):
            problems[field] = (
                f"There is no {local:%H:%M} on that day, because clocks are put forward; write {instead:%H:%M} if you"
                " mean the moment that follows."
            )
    starts_at = wall_time.instant_of(starts, time_zone)
    if ends is None:
        return starts_at, None
    ends_at = wall_time.instant_of(ends, time_zone)
    if ends_at < starts_at:
        problems["ends"] = "The event ends before it starts."
    elif ends - starts > LONGEST:
        problems["ends"] = "The event would take more than a year; check the end."
    return starts_at, ends_at


def _days(
    first: datetime | None, last: datetime | None, time_zone: str, problems: dict[str, str]
) -> tuple[Instant | None, Instant | None]:
    """From the first midnight to the one after the last day; one day where no last one is given."""
    if first is None or "time_zone" in problems:
        return None, None
    last = last or first
    if last < first:
        problems["ends"] = "The last day is before the first."
    elif last - first > LONGEST:
        problems["ends"] = "The event would take more than a year; check the end."
    end = last.date() + timedelta(days=1)
    return whole_days.midnight(first.date(), time_zone), whole_days.midnight(end, time_zone)


def _is_country(country: str, before: Event | None) -> bool:
    """Empty, or a country with a code; values from records of other apps may stay."""
    if not country or known_code(country) is not None:
        return True
    return before is not None and before.venue.country == country


def _venue(typed: Submission, point: tuple[str, str]) -> Venue:
    return Venue(
        name=one_line(typed.venue_name),
        street=one_line(typed.street),
        locality=one_line(typed.locality),
        region=one_line(typed.region),
        country=one_line(typed.country),
        postal_code=one_line(typed.postal_code),
        latitude=point[0],
        longitude=point[1],
    )


def _capacity(text: str, problems: dict[str, str]) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= MAX_CAPACITY:
        problems["capacity"] = (
            f"The number of places is a whole number from 1 to {MAX_CAPACITY}; leave it empty for no limit."
        )
        return None
    return int(text)


def check_about(typed: Mapping[str, str], problems: dict[str, str]) -> dict[str, Any]:
    """Fields of ``Details`` for what was typed; adds a sentence to ``problems`` for each invalid one."""
    ticket_url = typed["ticket_url"].strip()
    if ticket_url and not is_web_address(ticket_url):
        problems["ticket_url"] = "A link starts with https:// or http:// and names a host."
    price = one_line(typed["price"])
    if len(price) > MAX_PRICE:
        problems["price"] = f"At most {MAX_PRICE} characters."
    return {
        "place_audience": choice(Audience, typed["place_audience"], "place_audience", problems) or Audience.EVERYONE,
        "online_url_from": _minutes(typed["online_url_from"].strip(), problems),
        "door_note": _text(typed["door_note"], "door_note", MAX_DOOR_NOTE, problems),
        "door_audience": choice(Audience, typed["door_audience"], "door_audience", problems) or Audience.ATTENDEES,
        "tickets": Tickets(ticket_url, price),
        "accessibility": Accessibility(
            _several(AccessFeature, typed["access"], "access", problems),
            _text(typed["access_note"], "access_note", MAX_ACCESS_NOTE, problems),
        ),
        "categories": _categories(typed["categories"], problems),
        "tags": _tags(typed["tags"], problems),
        "languages": _languages(typed["languages"], problems),
    }


def _several(kind: type[C], text: str, field: str, problems: dict[str, str]) -> tuple[C, ...]:
    """Parse values of a closed list, in the list's order."""
    asked = {word.strip() for word in text.split(",") if word.strip()}
    if asked - {member.value for member in kind}:
        problems[field] = "Choose from: " + ", ".join(member.value for member in kind) + "."
    return tuple(member for member in kind if member.value in asked)


def _text(text: str, field: str, longest: int, problems: dict[str, str]) -> str:
    plain = text.replace("\r\n", "\n").strip()
    if len(plain) > longest:
        problems[field] = f"At most {longest:,} characters; this has {len(plain):,}."
    return plain


def _minutes(text: str, problems: dict[str, str]) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > MAX_MINUTES_BEFORE:
        problems["online_url_from"] = f"A whole number of minutes before the start, at most {MAX_MINUTES_BEFORE}."
        return None
    return int(text)


def _categories(text: str, problems: dict[str, str]) -> tuple[Category, ...]:
    found = _several(Category, text, "categories", problems)
    if len(found) > MAX_CATEGORIES:
        problems["categories"] = f"At most {MAX_CATEGORIES}, so that each says something."
    return found


def _tags(text: str, problems: dict[str, str]) -> tuple[str, ...]:
    try:
        return vocabulary.tags_in(text)
    except InvalidInput as wrong:
        problems["tags"] = wrong.why
        return ()


def _languages(text: str, problems: dict[str, str]) -> tuple[str, ...]:
    typed = [word.strip() for word in re.split(r"[,;\n]", text) if word.strip()]
    known = [languages.known_code(word[:100]) for word in typed]
    if None in known:
        unknown = typed[known.index(None)][:40]
        problems["languages"] = f"We do not know the language “{unknown}”; write it like English, Deutsch or fr."
    found = _without_doubles([code for code in known if code is not None])
    if len(found) > MAX_LANGUAGES:
        problems["languages"] = f"At most {MAX_LANGUAGES} languages."
    return found


def _without_doubles(codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))


# Spaces, controls, and marks that reverse the reading direction of the rest.
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def is_web_address(text: str) -> bool:
    """Whether a browser may be sent there: http or https with a host, no credentials, no control characters."""
    if len(text) > MAX_URL or _NOT_IN_ADDRESSES.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
