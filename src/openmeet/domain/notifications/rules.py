"""Which notifications are e-mailed, how soon, and which choices are valid. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, assert_never

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import InvalidForm, Why
from openmeet.domain.notifications.model import (
    Channel,
    DeliveryHours,
    NotificationKind,
    NotificationReason,
    NotificationRecipient,
    P,
    Urgency,
)
from openmeet.recurrence.wall_time import instant_of, local_of

# How long notifications to one user about one subject are bundled.
BUNDLED_FOR = 30 * MINUTE

# Delay of e-mails about places. A host who undoes a decision within this time has told nobody.
UNDO_TIME = 2 * MINUTE

# Delay of e-mails about chat messages. Anyone who reads a message before that gets no e-mail about it.
CHAT_DELAY = 10 * MINUTE

# Minimum time between a digest with a reminder and the start of the event.
REMINDED_BEFORE = 2 * HOUR

# Notifications about events that start this soon do not wait for bundling or for the end of quiet hours.
NEAR = DAY

# The weekly e-mail is due on Monday at this time in the recipient's zone, and is about the seven days from then on.
WEEK_BEGINS_AT = time(7)

_HOUR_AND_MINUTE = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def sources_of(kind: NotificationKind[P], payload: P, others: Sequence[str]) -> set[str]:
    """Ids of the users and groups that a notification comes from and that a recipient may block or mute. ``others``: those
    that the payload does not name.
    """
    if not kind.has_author:
        return set()
    source_ids = (payload.person_id, payload.group_id)
    return {*others, *(source for source in source_ids if source is not None)}


def is_urgent(kind: NotificationKind[Any], starts_at: Instant | None, now: Instant) -> bool:
    """Whether to e-mail the notification at once."""
    match kind.urgency:
        case Urgency.EXPIRES | Urgency.AT_ONCE:
            return True
        case Urgency.BUNDLED | Urgency.BEFORE_START | Urgency.TALK:
            return False
        case Urgency.NEAR | Urgency.PROMPT | Urgency.SOON:
            return starts_at is not None and now <= starts_at < now + NEAR
        case _:
            assert_never(kind.urgency)


def email_channel(addressee: NotificationRecipient) -> Channel | None:
    """How the recipient gets e-mail: at once, in the digest, or not at all. If both are chosen, only at once, so
    nothing is sent twice.
    """
    if not addressee.has_address:
        return None
    return next((one for one in (Channel.EMAIL, Channel.DIGEST) if one in addressee.channels), None)


def is_too_late_in(digest_at: Instant, kind: NotificationKind[Any], starts_at: Instant | None, *, urgent: bool) -> bool:
    """Whether a notification would come too late in a digest, because the event has begun or the offer has expired.

    A reminder of an event that begins around that time is too late as well.
    """
    if kind.urgency is Urgency.EXPIRES:
        return True
    if kind.urgency is Urgency.BEFORE_START:
        return starts_at is not None and starts_at - REMINDED_BEFORE <= digest_at
    return urgent and starts_at is not None and starts_at <= digest_at


def bundling_delay(kind: NotificationKind[P], payload: P) -> int:
    """How long to wait for more notifications to bundle, in microseconds."""
    if kind.awaits_decision(payload):
        return UNDO_TIME
    return {Urgency.PROMPT: 0, Urgency.SOON: UNDO_TIME, Urgency.TALK: CHAT_DELAY}.get(kind.urgency, BUNDLED_FOR)


def mail_gap(kind: NotificationKind[P], payload: P) -> int:
    """The minimum time between two e-mails about one subject, in microseconds."""
    return BUNDLED_FOR if kind.awaits_decision(payload) else kind.mail_gap


def mail_due_at(hours: DeliveryHours, now: Instant, *, urgent: bool, waits: int = BUNDLED_FOR) -> Instant:
    """When to send an e-mail. ``waits``: how long it may wait, in microseconds."""
    return now if urgent else after_quiet_hours(hours, Instant(now + waits))


def after_quiet_hours(hours: DeliveryHours, at: Instant) -> Instant:
    """Return the instant, or the end of the quiet hours that contain it."""
    if hours.quiet is None:
        return at
    start, end = hours.quiet
    local = local_of(at, hours.time_zone).replace(tzinfo=None)
    clock = local.time()
    is_quiet = start <= clock < end if start < end else clock >= start or clock < end
    if start == end or not is_quiet:
        return at
    ends_on = local.date() + timedelta(days=1) if clock >= end else local.date()
    # If the clocks are set back in between, the computed end may be in the past. Quiet hours are over then.
    return max(at, instant_of(local.combine(ends_on, end), hours.time_zone))


def next_digest(hours: DeliveryHours, now: Instant) -> tuple[str, Instant]:
    """The next digest that can include a notification created now: its day (``YYYY-MM-DD`` in the user's zone) and
    time.
    """
    local = local_of(now, hours.time_zone).replace(tzinfo=None)
    today = local.replace(hour=hours.digest_hour, minute=0, second=0, microsecond=0)
    for day in (today, today + timedelta(days=1)):
        at = instant_of(day, hours.time_zone)
        if at > now:
            return day.date().isoformat(), at
    raise AssertionError  # tomorrow's digest hour is in the future in every zone


def monday_of(time_zone: str, now: Instant) -> date:
    """The Monday of the current week in a zone."""
    today = local_of(now, time_zone).date()
    return today - timedelta(days=today.weekday())


def week_from(monday: date, time_zone: str) -> tuple[Instant, Instant]:
    """The seven days that the weekly e-mail is about. It is due at their beginning, unless quiet hours delay it."""
    begins = datetime.combine(monday, WEEK_BEGINS_AT)
    return instant_of(begins, time_zone), instant_of(begins + timedelta(days=7), time_zone)


def check_hours(typed: Mapping[str, str], known_zones: frozenset[str]) -> DeliveryHours:
    """Validate quiet hours (``HH:MM``, both or neither), zone and digest hour. Raises InvalidForm with all problems."""
    problems: dict[str, Why] = {}
    zone = typed.get("time_zone", "")
    if zone not in known_zones:
        problems["time_zone"] = NotificationReason.ZONE_NEEDED
    clocks: dict[str, time] = {}
    for name in ("quiet_from", "quiet_until"):
        text = typed.get(name, "").strip()
        if match := _HOUR_AND_MINUTE.fullmatch(text):
            clocks[name] = time(int(match[1]), int(match[2]))
        elif text:
            problems[name] = NotificationReason.MALFORMED_TIME
    if len(clocks) == 1 and not problems:
        missing = "quiet_until" if "quiet_from" in clocks else "quiet_from"
        problems[missing] = NotificationReason.TIMES_INCOMPLETE
    hour = typed.get("digest_hour", "")
    if not (hour.isascii() and hour.isdecimal() and len(hour) <= 2 and int(hour) < 24):
        problems["digest_hour"] = NotificationReason.HOUR_NEEDED
    if problems:
        raise InvalidForm(problems)
    quiet = (clocks["quiet_from"], clocks["quiet_until"]) if clocks else None
    return DeliveryHours(zone, quiet, int(hour))
