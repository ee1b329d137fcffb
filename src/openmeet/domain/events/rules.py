"""Rules of a single event: validation, visibility, when it may be changed. Pure."""

from dataclasses import Field, asdict, make_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from groundwork.clock import DAY, Instant
from groundwork.errors import InvalidForm, InvalidInput, Refused, Why
from openmeet.domain.events import all_day as whole_days
from openmeet.domain.events.content import INPUTS, parse
from openmeet.domain.events.model import MAX_REASON, Details, Event
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import FORMER_ROLES, INSIDE, GroupRole
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.countries import known_code
from openmeet.i18n.formatting import clock
from openmeet.recurrence import wall_time

# A longer duration is far more likely a mistyped year than a long exhibition.
LONGEST = timedelta(days=366)


if TYPE_CHECKING:  # created from the field table at run time

    class _Inputs:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

        def __init__(self, **typed: str) -> None: ...
        def __getattr__(self, name: str) -> str: ...

else:
    _Inputs = make_dataclass(
        "_Inputs",
        [(one, str, "") for one in ("starts", "ends", "time_zone", "all_day")]
        + [(one.name, str, one.kind.blank) for one in INPUTS],
        frozen=True,
        slots=True,
    )


class Submission(_Inputs):
    """An event as typed: text by the name of its input, so that nothing is lost if something is invalid.

    ``starts`` and ``ends`` are wall-clock times ``YYYY-MM-DDTHH:MM`` in ``time_zone``. With ``all_day`` they are the
    first and the last day, and a time of day is ignored. Lists are separated by commas. ``point`` is anything that
    ``place_text.point_in`` can parse.
    """

    __slots__ = ()


# The order in which problems are listed: title and other basics first, then the times.
_ORDER: Final = tuple(
    dict.fromkeys(("title", "description", "starts", "ends", "time_zone", *(one.name for one in INPUTS)))
)


def check(typed: Submission, before: Event | None = None) -> Details:
    """Validate a submission. Raises InvalidForm, which lists every invalid field. ``before`` is the event being edited."""
    problems: dict[str, Why] = {}
    content = parse(asdict(typed), problems, before.content if before else None)
    if "country" not in problems and not _is_country(content.venue.country, before):
        problems["country"] = EventReason.UNKNOWN_COUNTRY
    starts = ends = None
    if not typed.starts:
        problems["starts"] = EventReason.START_NEEDED
    else:
        starts = _local(typed.starts, "starts", problems, is_day=bool(typed.all_day))
    if typed.ends:
        ends = _local(typed.ends, "ends", problems, is_day=bool(typed.all_day))
    if not typed.time_zone:
        problems["time_zone"] = EventReason.ZONE_NEEDED
    elif not wall_time.is_zone(typed.time_zone):
        problems["time_zone"] = EventReason.UNKNOWN_ZONE
    if typed.all_day:
        starts_at, ends_at = _days(starts, ends, typed.time_zone, problems)
    else:
        starts_at, ends_at = _instants(starts, ends, typed.time_zone, problems)

    if problems or starts is None or starts_at is None:
        raise InvalidForm({name: problems[name] for name in _ORDER if name in problems})
    return Details(
        content=content,
        starts_local=starts.isoformat(timespec="seconds"),
        time_zone=typed.time_zone,
        starts_at=starts_at,
        ends_at=ends_at,
        is_all_day=bool(typed.all_day),
    )


def starts_in_the_past(details: Details, before: Event | Details | None, now: Instant) -> bool:
    """Whether a newly chosen start is in the past. That is more likely a wrong year than a past meeting being recorded."""
    begins = details.starts_at
    if details.is_all_day and details.ends_at is not None:
        # An all-day event is not past on its first day.
        begins = Instant(min(details.ends_at, details.starts_at + DAY))
    return begins < now and (before is None or before.starts_at != details.starts_at)


def check_reason(text: str) -> str:
    """Validate the reason of a cancellation, which may be empty."""
    reason = text.replace("\r\n", "\n").strip()
    if len(reason) > MAX_REASON:
        raise InvalidForm({"reason": GeneralReason.TEXT_TOO_LONG(most=MAX_REASON)})
    return reason


class GroupEventAccess(StrEnum):
    """Access to a private event by group membership alone."""

    MEMBER = "member"  # in its group
    OUTSIDER = "outsider"  # never in the group, or the event has none; an RSVP or an invitation counts
    FORMER_MEMBER = "former_member"  # left or was banned; earlier RSVPs no longer give access


def access_by(role: GroupRole | None) -> GroupEventAccess:
    """The access that a role in the event's group gives to its private events."""
    if role in INSIDE:
        return GroupEventAccess.MEMBER
    return GroupEventAccess.FORMER_MEMBER if role in FORMER_ROLES else GroupEventAccess.OUTSIDER


def may_see(
    event: Event,
    viewer: UserId | None,
    *,
    has_rsvp_access: bool,
    access: GroupEventAccess = GroupEventAccess.FORMER_MEMBER,
    is_co_host: bool = False,
    is_kept_away: bool = False,
) -> bool:
    """Whether the event exists for this person. ``has_rsvp_access``: they have an RSVP other than a rejected one.

    ``access`` matters for events of a group, ``is_co_host`` also for drafts and private ones. The defaults are the
    strictest (``event_access`` looks up the values). ``is_kept_away``: its author blocks them, and they do not
    administer its group.
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
        return has_rsvp_access
    return access is GroupEventAccess.MEMBER or (access is GroupEventAccess.OUTSIDER and has_rsvp_access)


def require_changeable(event: Event) -> None:
    """Raise Refused if the event is only a copy from the network, or gone."""
    if event.is_read_only:
        raise Refused(EventReason.KEPT_ELSEWHERE, name="ReadOnly")
    if event.is_gone:
        raise Refused(EventReason.REMOVED, name="EventRemoved")


def _local(text: str, field: str, problems: dict[str, Why], *, is_day: bool = False) -> datetime | None:
    try:
        return wall_time.parse_local(whole_days.at_midnight(text) if is_day else text, field)
    except InvalidInput as wrong:
        problems[field] = wrong.why
        return None


def _instants(
    starts: datetime | None, ends: datetime | None, time_zone: str, problems: dict[str, Why]
) -> tuple[Instant | None, Instant | None]:
    if starts is None or "time_zone" in problems:
        return None, None
    for field, local in (("starts", starts), ("ends", ends)):
        if local is not None and (instead := wall_time.instead_of(local, time_zone)):
            problems[field] = EventReason.SKIPPED_TIME(time=clock(local), instead=clock(instead))
    starts_at = wall_time.instant_of(starts, time_zone)
    if ends is None:
        return starts_at, None
    ends_at = wall_time.instant_of(ends, time_zone)
    if ends_at < starts_at:
        problems["ends"] = EventReason.ENDS_BEFORE_START
    elif ends - starts > LONGEST:
        problems["ends"] = EventReason.LASTS_TOO_LONG
    return starts_at, ends_at


def _days(
    first: datetime | None, last: datetime | None, time_zone: str, problems: dict[str, Why]
) -> tuple[Instant | None, Instant | None]:
    """The midnights at which the first day begins and the last day ends. Without a last day, the event has one day."""
    if first is None or "time_zone" in problems:
        return None, None
    last = last or first
    if last < first:
        problems["ends"] = EventReason.LAST_DAY_BEFORE_FIRST
    elif last - first > LONGEST:
        problems["ends"] = EventReason.LASTS_TOO_LONG
    end = last.date() + timedelta(days=1)
    return wall_time.midnight(first.date(), time_zone), wall_time.midnight(end, time_zone)


def _is_country(country: str, before: Event | None) -> bool:
    """Whether the country is empty or has a code. Other values that came from records of other apps may stay."""
    if not country or known_code(country) is not None:
        return True
    return before is not None and before.content.venue.country == country
