"""When notifications are e-mailed, and in which time zone."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant, from_datetime
from groundwork.errors import InvalidForm
from openmeet.domain.notifications import event_kinds, rules
from openmeet.domain.notifications.event_kinds import DatesChanged, HostMessageReceived
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import (
    BY_MAIL_ALONE,
    Channel,
    DeliveryHours,
    NotificationRecipient,
    NotificationTopic,
    ShownTime,
)
from openmeet.domain.users.model import UserId
from openmeet.recurrence.wall_time import local_of

NOW = Instant(1_772_366_400_000_000)  # 2026-03-01T12:00:00Z, 13:00 in Berlin
NIGHT = DeliveryHours("Europe/Berlin", (time(22), time(7)))
MOVED = DatesChanged(started=ShownTime(NOW, "UTC"), starts=ShownTime(NOW, "UTC"))
ELSEWHERE = DatesChanged(was_at="Library", is_at="Café")


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("kind", "starts_in", "urgent"),
    [
        (event_kinds.EVENT_CANCELLED, 30 * DAY, True),
        (event_kinds.EVENT_DELETED, 30 * DAY, True),
        (event_kinds.EVENT_CHANGED, 30 * DAY, True),
        (event_kinds.EVENT_REINSTATED, 30 * DAY, True),
        (event_kinds.MOVED_UP, DAY, False),
        (event_kinds.MOVED_UP, DAY - 1, True),
        (event_kinds.MOVED_UP, -1, False),
        (event_kinds.NEW_ANSWER, HOUR, False),
        (event_kinds.REMINDER, HOUR, False),
        (event_kinds.NEW_DATE, HOUR, False),
    ],
)
def test_a_change_is_urgent_if_somebody_could_travel_in_vain(kind, starts_in, urgent):
    assert rules.is_urgent(kind, Instant(NOW + starts_in), NOW) is urgent


def test_an_undated_event_is_not_urgent():
    assert not rules.is_urgent(event_kinds.MOVED_UP, None, NOW)


@pytest.mark.parametrize(("payload", "mailed"), [(DatesChanged(), False), (MOVED, True), (ELSEWHERE, True)])
def test_only_changes_of_time_and_place_are_mailed(payload, mailed):
    assert event_kinds.EVENT_CHANGED.is_mailed(payload) is mailed


@pytest.mark.parametrize(
    ("hours", "moment", "leaves"),
    [
        (NIGHT, "2026-03-01T12:00", "2026-03-01T12:00"),
        (NIGHT, "2026-03-01T20:59", "2026-03-01T20:59"),
        (NIGHT, "2026-03-01T21:00", "2026-03-02T06:00"),
        (NIGHT, "2026-03-02T05:59", "2026-03-02T06:00"),
        (NIGHT, "2026-03-02T06:00", "2026-03-02T06:00"),
        # The clocks go forward in this night, so seven o'clock comes an hour earlier.
        (NIGHT, "2026-03-28T22:00", "2026-03-29T05:00"),
        (DeliveryHours("UTC", (time(13), time(15))), "2026-03-01T14:00", "2026-03-01T15:00"),
        (DeliveryHours("UTC", (time(13), time(15))), "2026-03-01T12:59", "2026-03-01T12:59"),
        (DeliveryHours("UTC", (time(9), time(9))), "2026-03-01T09:00", "2026-03-01T09:00"),
        (DeliveryHours("UTC"), "2026-03-01T03:00", "2026-03-01T03:00"),
    ],
)
def test_quiet_hours_delay_mail_until_they_end(hours, moment, leaves):
    assert rules.after_quiet_hours(hours, at(moment)) == at(leaves)


@pytest.mark.parametrize(
    ("hours", "moment", "leaves"),
    [
        # Across midnight, in the night when the clocks go back: seven o'clock comes an hour later.
        (NIGHT, "2026-10-24T20:00", "2026-10-25T06:00"),
        # On Lord Howe Island the clocks move by half an hour.
        (DeliveryHours("Australia/Lord_Howe", (time(22), time(7))), "2026-10-03T12:00", "2026-10-03T20:00"),
        (DeliveryHours("Australia/Lord_Howe", (time(22), time(7))), "2026-04-04T12:00", "2026-04-04T20:30"),
        (DeliveryHours("America/St_Johns", (time(22), time(7))), "2026-03-08T02:00", "2026-03-08T09:30"),
        (DeliveryHours("Pacific/Kiritimati", (time(22), time(7))), "2026-06-01T08:00", "2026-06-01T17:00"),
        # Quiet hours that end at a time that the clocks skip, and Santiago, where they skip midnight.
        (DeliveryHours("Europe/Berlin", (time(22), time(2, 30))), "2026-03-28T23:00", "2026-03-29T01:30"),
        (DeliveryHours("America/Santiago", (time(22), time(0, 30))), "2026-09-06T03:00", "2026-09-06T04:30"),
        # Quiet hours that end at a time that occurs twice: they end at the first occurrence.
        (DeliveryHours("Europe/Berlin", (time(22), time(2, 30))), "2026-10-24T23:00", "2026-10-25T00:30"),
        (DeliveryHours("Europe/Berlin", (time(22), time(2, 30))), "2026-10-25T01:10", "2026-10-25T01:10"),
    ],
)
def test_quiet_hours_end_by_the_local_clock(hours, moment, leaves):
    assert rules.after_quiet_hours(hours, at(moment)) == at(leaves)


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/St_Johns",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
        "Africa/Cairo",
    ],
)
def test_each_day_has_one_digest_despite_clock_changes(zone):
    """Checked for every hour of a year: each digest is later than what it collects, one day after the previous one, and
    no day has two.
    """
    for hour in range(0, 24, 1):
        hours, now, last = DeliveryHours(zone, digest_hour=hour), at("2026-01-01T00:00"), None
        for _ in range(370):
            day, leaves = rules.next_digest(hours, now)
            assert leaves > now
            if last is not None:
                assert (day > last[0], 22 * HOUR <= leaves - last[1] <= 26 * HOUR) == (True, True)
            last, now = (day, leaves), leaves


@pytest.mark.parametrize(("starts", "too_late"), [("2026-03-02T07:00", True), ("2026-03-02T10:00", False)])
def test_a_reminder_skips_a_digest_that_comes_with_the_start(starts, too_late):
    """The reminder for an event at eight is due at eight the day before. If the digest is sent at that hour, the next
    digest would be sent only when the event begins, so the reminder is not put into it.
    """
    _, digest_at = rules.next_digest(DeliveryHours("Europe/Berlin", digest_hour=8), NOW)
    assert digest_at == at("2026-03-02T07:00")
    assert rules.is_too_late_in(digest_at, event_kinds.REMINDER, at(starts), urgent=False) is too_late
    assert not rules.is_too_late_in(digest_at, event_kinds.HOST_EVENT, at(starts), urgent=False)


def test_urgent_mail_is_sent_at_night_and_other_mail_after_half_an_hour():
    night = at("2026-03-01T23:00")
    assert rules.mail_due_at(NIGHT, night, urgent=True) == night
    assert rules.mail_due_at(NIGHT, night, urgent=False) == at("2026-03-02T06:00")
    assert rules.mail_due_at(NIGHT, NOW, urgent=False) == NOW + 30 * MINUTE
    message = rules.bundling_delay(event_kinds.HOST_MESSAGE, HostMessageReceived())
    assert rules.mail_due_at(NIGHT, NOW, urgent=False, waits=message) == NOW
    assert rules.mail_due_at(NIGHT, night, urgent=False, waits=message) == at("2026-03-02T06:00")


@pytest.mark.parametrize(
    ("zone", "hour", "day", "moment"),
    [
        ("Europe/Berlin", 18, "2026-03-01", "2026-03-01T17:00"),
        ("Europe/Berlin", 13, "2026-03-02", "2026-03-02T12:00"),
        ("Pacific/Auckland", 8, "2026-03-02", "2026-03-01T19:00"),
    ],
)
def test_a_notification_goes_into_the_next_digest(zone, hour, day, moment):
    assert rules.next_digest(DeliveryHours(zone, digest_hour=hour), NOW) == (day, at(moment))


@pytest.mark.parametrize(
    ("has_address", "channels", "channel"),
    [
        (False, {Channel.EMAIL}, None),
        (True, {Channel.IN_APP}, None),
        (True, {Channel.DIGEST}, Channel.DIGEST),
        (True, {Channel.DIGEST, Channel.EMAIL}, Channel.EMAIL),
    ],
)
def test_nothing_is_mailed_twice_nor_without_an_address(has_address, channels, channel):
    assert rules.email_channel(NotificationRecipient(UserId("a"), has_address, frozenset(channels), NIGHT)) is channel


FORM = {"time_zone": "Europe/Berlin", "quiet_from": "22:00", "quiet_until": "07:30", "digest_hour": "18"}


def test_hours_are_read_as_typed():
    zones = frozenset({"Europe/Berlin"})
    assert rules.check_hours(FORM, zones) == DeliveryHours("Europe/Berlin", (time(22), time(7, 30)), 18)
    assert rules.check_hours({**FORM, "quiet_from": "", "quiet_until": " "}, zones).quiet is None


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"time_zone": "Mars"}, {"time_zone"}),
        ({"quiet_from": ""}, {"quiet_from"}),
        ({"quiet_until": ""}, {"quiet_until"}),
        ({"quiet_from": "25:00"}, {"quiet_from"}),
        ({"quiet_until": "7"}, {"quiet_until"}),
        ({"digest_hour": "24"}, {"digest_hour"}),
        ({"digest_hour": "1" * 5_000}, {"digest_hour"}),
        ({"digest_hour": "²", "time_zone": ""}, {"digest_hour", "time_zone"}),
    ],
)
def test_invalid_hours_are_reported(typed, fields):
    with pytest.raises(InvalidForm) as refused:
        rules.check_hours({**FORM, **typed}, frozenset({"Europe/Berlin"}))
    assert set(refused.value.problems) == fields


def test_every_topic_has_a_choice_of_channels() -> None:
    """Decision 0076. One's own answers and the weekly e-mail are only e-mailed, so they have no kind of notification."""
    assert set(NotificationTopic) - {kind.topic for kind in KINDS.values()} == BY_MAIL_ALONE


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Kiritimati"])
def test_weeks_follow_each_other_despite_clock_changes(zone):
    """Each week begins on Monday at seven by the clocks on the wall, when the one before ends."""
    monday = date(2026, 1, 5)
    for _ in range(52):
        begins_at, ends_at = rules.week_from(monday, zone)
        local = local_of(begins_at, zone)
        assert (local.date(), local.time()) == (monday, time(7))
        assert rules.monday_of(zone, begins_at) == rules.monday_of(zone, Instant(ends_at - 8 * HOUR)) == monday
        monday += timedelta(days=7)
        assert rules.week_from(monday, zone)[0] == ends_at
