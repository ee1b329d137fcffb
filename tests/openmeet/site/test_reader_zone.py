"""The time zone next to a time: hidden from readers whose clock shows the same."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from groundwork.clock import Instant, from_datetime
from openmeet.i18n.formatting import set_reader_zone
from openmeet.web.site.reader_zone import shown_zone, zone_of_dates


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text))


@pytest.fixture(autouse=True)
def no_reader() -> Iterator[None]:
    yield
    set_reader_zone(None)


@pytest.mark.parametrize(
    ("reader", "is_hidden"),
    [(None, False), ("Europe/Berlin", True), ("Europe/Vienna", True), ("America/New_York", False), ("UTC", False)],
)
def test_a_zone_is_hidden_from_readers_with_the_same_time(reader: str | None, is_hidden: bool) -> None:
    set_reader_zone(reader)
    shown = shown_zone("Europe/Berlin", "Berlin time", [at("2026-07-04T16:00:00Z")])
    assert shown.label == "Berlin time"
    assert 'data-zone="Europe/Berlin" data-at="2026-07-04T16:00:00Z"' in shown.attributes
    assert shown.attributes.endswith(" hidden") is is_hidden


def test_dates_in_both_seasons_need_the_same_time_in_both() -> None:
    # Lagos has the time of Berlin in winter only.
    set_reader_zone("Africa/Lagos")
    winter = at("2026-01-10T18:00:00Z")
    assert shown_zone("Europe/Berlin", "Berlin time", [winter]).attributes.endswith(" hidden")
    assert not zone_of_dates("Europe/Berlin", winter).attributes.endswith(" hidden")
