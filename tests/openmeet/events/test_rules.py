"""Validation of event fields, and who may see an event."""

import pytest

from groundwork.errors import InvalidForm
from openmeet.domain.events import rules
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.rules import Submission

GOOD = {"title": "Board games", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin"}


def test_a_title_and_a_start_are_enough():
    found = rules.check(Submission(**GOOD))
    assert (found.content.title, found.starts_local, found.ends_at) == ("Board games", "2026-07-04T18:00:00", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "   "),
        ("title", "x" * 201),
        ("starts", ""),
        ("starts", "tomorrow"),
        ("ends", "2026-07-04T17:59"),
        ("ends", "2028-07-04T17:59"),
        ("time_zone", ""),
        ("time_zone", "Berlin"),
        ("mode", "telepathy"),
        ("visibility", "secret"),
        ("capacity", "0"),
        ("capacity", "-1"),
        ("capacity", "1.5"),
        ("capacity", "many"),
        ("capacity", "٣"),
        ("online_url", "javascript:alert(1)"),
        ("online_url", "https://user:password@example.org/"),
        ("online_url", "https://"),
        ("online_url", "http://[::1"),
        ("venue_name", "x" * 201),
        ("description", "x" * 20_001),
    ],
)
def test_each_wrong_field_is_named(field, value):
    with pytest.raises(InvalidForm) as raised:
        rules.check(Submission(**{**GOOD, field: value}))
    assert set(raised.value.problems) == {field}


@pytest.mark.parametrize("field", ["starts", "ends"])
def test_a_skipped_local_time_is_refused_with_a_suggestion(field):
    """On 28 March 2027 Berlin's clocks skip from 02:00 to 03:00. The error message suggests the next valid time."""
    typed = {"starts": "2027-03-28T01:00", field: "2027-03-28T02:30"}
    with pytest.raises(InvalidForm) as raised:
        rules.check(Submission(**GOOD | typed))
    assert set(raised.value.problems) == {field}
    assert raised.value.why == EventReason.SKIPPED_TIME(time="02:30", instead="03:30")


def test_all_errors_are_reported_at_once():
    with pytest.raises(InvalidForm) as raised:
        rules.check(Submission(capacity="x", mode="y"))
    assert set(raised.value.problems) == {"title", "starts", "time_zone", "capacity", "mode"}


def test_an_event_may_end_when_it_starts():
    assert rules.check(Submission(**GOOD, ends="2026-07-04T18:00")).ends_at is not None


def test_ends_is_compared_as_an_instant_not_as_a_wall_clock():
    """In the repeated hour in October, an earlier clock time can be the later instant."""
    found = rules.check(
        Submission(title="Night", starts="2026-10-25T01:30", ends="2026-10-25T03:00", time_zone="Europe/Berlin")
    )
    assert found.ends_at is not None
    assert found.ends_at - found.starts_at == 2.5 * 3600 * 1_000_000


@pytest.mark.parametrize("country", ["", "DE", "de", "Germany", "Deutschland", "Österreich", "USA", "uk"])
def test_countries_are_recognised_as_people_type_them(country: str):
    assert rules.check(Submission(**GOOD, country=country)).content.venue.country == country


@pytest.mark.parametrize("country", ["Atlantis", "XX", "ZZ", "12"])
def test_an_unknown_country_is_refused_at_its_field(country: str):
    """Without the country code no record can be written, so the place would stay unpublished without a message."""
    with pytest.raises(InvalidForm) as wrong:
        rules.check(Submission(**GOOD, country=country))
    assert set(wrong.value.problems) == {"country"}
