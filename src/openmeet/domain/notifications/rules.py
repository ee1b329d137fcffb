"""Which notifications are e-mailed, how soon, and which choices are valid. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import InvalidForm
from openmeet.domain.notifications.model import (
    Channel,
    Hours,
    NotificationDetails,
    NotificationKind,
    NotificationRecipient,
)
from openmeet.recurrence.wall_time import instant_of, local_of

# How long notifications of one user about one subject are bundled.
BUNDLED_FOR = 30 * MINUTE

# The minimum time between a reminder in a digest and the start.
REMINDED_BEFORE = 2 * HOUR

# What is this near cannot wait for a bundle or the end of quiet hours.
NEAR = DAY

_HOUR_AND_MINUTE = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


# Kinds that come from somebody who may be blocked or muted. Kinds about one's own RSVPs, roles and groups are always
# sent.
_OF_SOMEBODY = frozenset(
    {
        NotificationKind.NEW_ANSWER,
        NotificationKind.HOST_MESSAGE,
        NotificationKind.GROUP_EVENT,
        NotificationKind.ANNOUNCEMENT,
        NotificationKind.JOIN_REQUEST,
        NotificationKind.INVITED,
        NotificationKind.SERIES_OFFERED,
        NotificationKind.MENTION,
        NotificationKind.GROUP_MENTION,
        NotificationKind.SEARCH_FIND,
        NotificationKind.HOST_EVENT,
    }
)


def sources_of(kind: NotificationKind, particulars: NotificationDetails, others: Sequence[str]) -> set[str]:
    """The users and groups that a notification comes from and that a recipient may block or mute."""
    if kind not in _OF_SOMEBODY:
        return set()
    named = (particulars.person_id, particulars.group_id)
    return {*others, *(source for source in named if source is not None)}


def is_mailed(kind: NotificationKind, particulars: NotificationDetails) -> bool:
    """Whether it is worth an e-mail: a corrected description is not, a new time or place is."""
    return kind is not NotificationKind.EVENT_CHANGED or particulars.is_move


def is_urgent(
    kind: NotificationKind, particulars: NotificationDetails, starts_at: Instant | None, now: Instant
) -> bool:
    """Whether somebody could travel, or stay at home, in vain or lose a place: cancelled, restored, moved, or starting
    within a day.

    Notifications about RSVPs are never urgent, and a reminder has the whole day to arrive.
    """
    match kind:
        case (
            NotificationKind.NEW_ANSWER
            | NotificationKind.REMINDER
            | NotificationKind.NEW_DATE
            | NotificationKind.SERIES_OFFERED
            | NotificationKind.GROUP_EVENT
            | NotificationKind.FOREIGN_ANSWERS
            | NotificationKind.RECORD_DELETED
            | NotificationKind.MODERATED
            | NotificationKind.SEARCH_FIND
            | NotificationKind.HOST_EVENT
        ):
            return False
        # An offer expires, so half an hour matters; so does its withdrawal.
        case NotificationKind.SEAT_OFFERED | NotificationKind.SEAT_WITHDRAWN:
            return True
        case NotificationKind.EVENT_CANCELLED | NotificationKind.EVENT_REINSTATED | NotificationKind.EVENT_DELETED:
            return True
        case NotificationKind.EVENT_CHANGED if particulars.is_move:
            return True
        case _:
            return starts_at is not None and now <= starts_at < now + NEAR


def channel_of_mail(addressee: NotificationRecipient) -> Channel | None:
    """How e-mail is sent to them: at once, in the digest, or not at all. At once wins: nothing is sent twice."""
    if not addressee.has_address:
        return None
    return next((one for one in (Channel.EMAIL, Channel.DIGEST) if one in addressee.channels), None)


def is_too_late_in(digest_at: Instant, kind: NotificationKind, starts_at: Instant | None, *, urgent: bool) -> bool:
    """Whether it would come too late in a digest: the event has begun, or the offer has passed on.

    A reminder of something that begins at about that hour is too late as well.
    """
    if kind is NotificationKind.SEAT_OFFERED:
        return True
    if kind is NotificationKind.REMINDER:
        return starts_at is not None and starts_at - REMINDED_BEFORE <= digest_at
    return urgent and starts_at is not None and starts_at <= digest_at


def waits_for(kind: NotificationKind) -> int:
    """How long it waits to be bundled, in microseconds. Host messages are sent at once, but respect quiet hours."""
    return 0 if kind is NotificationKind.HOST_MESSAGE else BUNDLED_FOR


def mail_due_at(hours: Hours, now: Instant, *, urgent: bool, waits: int = BUNDLED_FOR) -> Instant:
    """When the e-mail is sent; ``waits`` in microseconds."""
    return now if urgent else after_quiet(hours, Instant(now + waits))


def after_quiet(hours: Hours, at: Instant) -> Instant:
    """The instant itself, or the end of the quiet hours that contain it."""
    if hours.quiet is None:
        return at
    start, end = hours.quiet
    local = local_of(at, hours.time_zone).replace(tzinfo=None)
    clock = local.time()
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    if start == end or not is_quiet:
        return at
    ends_on = local.date() + timedelta(days=1) if clock >= end else local.date()
    # If clocks were put back meanwhile, the computed end may be in the past: then quiet hours are over.
    return max(at, instant_of(local.combine(ends_on, end), hours.time_zone))


def next_digest(hours: Hours, now: Instant) -> tuple[str, Instant]:
    """The next digest that includes what happens now: its day (``YYYY-MM-DD`` in the user's zone) and instant."""
    local = local_of(now, hours.time_zone).replace(tzinfo=None)
    today = local.replace(hour=hours.digest_hour, minute=0, second=0, microsecond=0)
    for day in (today, today + timedelta(days=1)):
        at = instant_of(day, hours.time_zone)
        if at > now:
            return day.date().isoformat(), at
    raise AssertionError  # the hour of tomorrow lies ahead in every zone


def check_hours(typed: Mapping[str, str], known_zones: frozenset[str]) -> Hours:
    """Validate quiet hours (``HH:MM``, both or neither), zone and digest hour; InvalidForm lists what is wrong."""
    problems: dict[str, str] = {}
    zone = typed.get("time_zone", "")
    if zone not in known_zones:
        problems["time_zone"] = "Choose a time zone from the list."
    clocks: dict[str, time] = {}
    for name in ("quiet_from", "quiet_until"):
        text = typed.get(name, "").strip()
        if match := _HOUR_AND_MINUTE.fullmatch(text):
            clocks[name] = time(int(match[1]), int(match[2]))
        elif text:
            problems[name] = "Write a time like 22:00."
    if len(clocks) == 1 and not problems:
        missing = "quiet_until" if "quiet_from" in clocks else "quiet_from"
        problems[missing] = "Fill in both times, or neither."
    hour = typed.get("digest_hour", "")
    if not (hour.isascii() and hour.isdecimal() and int(hour) < 24):
        problems["digest_hour"] = "Choose an hour from the list."
    if problems:
        raise InvalidForm(problems)
    quiet = (clocks["quiet_from"], clocks["quiet_until"]) if clocks else None
    return Hours(zone, quiet, int(hour))
