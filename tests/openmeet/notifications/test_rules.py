"""How soon news are mailed, on whose clock."""

from datetime import UTC, datetime, time

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant, from_datetime
from groundwork.errors import InvalidForm
from openmeet.notifications import rules
from openmeet.notifications.model import NOTHING_MORE, Addressee, Channel, Hours, Kind, Particulars, When
from openmeet.users.model import UserId

NOW = Instant(1_772_366_400_000_000)  # 2026-03-01T12:00:00Z, 13:00 in Berlin
NIGHT = Hours("Europe/Berlin", (time(22), time(7)))
MOVED = Particulars(started=When(NOW, "UTC"), starts=When(NOW, "UTC"))
ELSEWHERE = Particulars(was_at="Library", is_at="Café")


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("kind", "particulars", "starts_in", "urgent"),
    [
        (Kind.EVENT_CANCELLED, NOTHING_MORE, 30 * DAY, True),
        (Kind.EVENT_DELETED, NOTHING_MORE, 30 * DAY, True),
        (Kind.EVENT_CHANGED, MOVED, 30 * DAY, True),
        (Kind.EVENT_CHANGED, ELSEWHERE, 30 * DAY, True),
        (Kind.EVENT_REINSTATED, NOTHING_MORE, 30 * DAY, True),
        (Kind.MOVED_UP, NOTHING_MORE, DAY, False),
        (Kind.MOVED_UP, NOTHING_MORE, DAY - 1, True),
        (Kind.MOVED_UP, NOTHING_MORE, -1, False),
        (Kind.NEW_ANSWER, NOTHING_MORE, HOUR, False),
        (Kind.REMINDER, NOTHING_MORE, HOUR, False),
        (Kind.NEW_DATE, NOTHING_MORE, HOUR, False),
    ],
)
def test_urgent_is_what_somebody_could_travel_in_vain_for(kind, particulars, starts_in, urgent):
    assert rules.is_urgent(kind, particulars, Instant(NOW + starts_in), NOW) is urgent


def test_a_date_to_be_announced_is_not_near():
    assert not rules.is_urgent(Kind.MOVED_UP, NOTHING_MORE, None, NOW)


@pytest.mark.parametrize(("particulars", "mailed"), [(NOTHING_MORE, False), (MOVED, True), (ELSEWHERE, True)])
def test_of_changes_only_time_and_place_are_mailed(particulars, mailed):
    assert rules.is_mailed(Kind.EVENT_CHANGED, particulars) is mailed


@pytest.mark.parametrize(
    ("hours", "moment", "leaves"),
    [
        (NIGHT, "2026-03-01T12:00", "2026-03-01T12:00"),
        (NIGHT, "2026-03-01T20:59", "2026-03-01T20:59"),
        (NIGHT, "2026-03-01T21:00", "2026-03-02T06:00"),
        (NIGHT, "2026-03-02T05:59", "2026-03-02T06:00"),
        (NIGHT, "2026-03-02T06:00", "2026-03-02T06:00"),
        # The clocks go forward in this night: seven o'clock comes an hour earlier.
        (NIGHT, "2026-03-28T22:00", "2026-03-29T05:00"),
        (Hours("UTC", (time(13), time(15))), "2026-03-01T14:00", "2026-03-01T15:00"),
        (Hours("UTC", (time(13), time(15))), "2026-03-01T12:59", "2026-03-01T12:59"),
        (Hours("UTC", (time(9), time(9))), "2026-03-01T09:00", "2026-03-01T09:00"),
        (Hours("UTC"), "2026-03-01T03:00", "2026-03-01T03:00"),
    ],
)
def test_quiet_hours_hold_mail_until_they_end(hours, moment, leaves):
    assert rules.after_quiet(hours, at(moment)) == at(leaves)


def test_urgent_mail_leaves_in_the_night_and_other_mail_after_half_an_hour():
    night = at("2026-03-01T23:00")
    assert rules.mail_due_at(NIGHT, night, urgent=True) == night
    assert rules.mail_due_at(NIGHT, night, urgent=False) == at("2026-03-02T06:00")
    assert rules.mail_due_at(NIGHT, NOW, urgent=False) == NOW + 30 * MINUTE
    message = rules.waits_for(Kind.HOST_MESSAGE)
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
def test_the_digest_of_news_is_the_next_one(zone, hour, day, moment):
    assert rules.next_digest(Hours(zone, digest_hour=hour), NOW) == (day, at(moment))


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
    assert rules.channel_of_mail(Addressee(UserId("a"), has_address, frozenset(channels), NIGHT)) is channel


FORM = {"time_zone": "Europe/Berlin", "quiet_from": "22:00", "quiet_until": "07:30", "digest_hour": "18"}


def test_hours_are_read_as_typed():
    zones = frozenset({"Europe/Berlin"})
    assert rules.check_hours(FORM, zones) == Hours("Europe/Berlin", (time(22), time(7, 30)), 18)
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
        ({"digest_hour": "²", "time_zone": ""}, {"digest_hour", "time_zone"}),
    ],
)
def test_hours_that_make_no_sense_are_named(typed, fields):
    with pytest.raises(InvalidForm) as refused:
        rules.check_hours({**FORM, **typed}, frozenset({"Europe/Berlin"}))
    assert set(refused.value.problems) == fields
