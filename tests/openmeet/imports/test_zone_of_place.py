"""An event page gives an offset. The event gets the zone of its town if the zone has this offset at the start."""

import json

import pytest

from groundwork.clock import HandClock
from openmeet.domain.events.rules import check
from openmeet.domain.imports.events import parse_upload
from openmeet.domain.imports.model import FileReading, Import, ImportId, ImportKind, Medium
from openmeet.domain.places.gazetteer import Gazetteer
from openmeet.domain.users.model import UserId
from tests.openmeet.places.world import open_world
from tests.worker_pool import WORKERS


@pytest.fixture(scope="module")
def world() -> Gazetteer:
    return open_world()


@pytest.mark.parametrize(
    ("town", "country", "starts", "ends", "read"),
    [
        ("Berlin", "DE", "2027-01-05T18:00+01:00", "2027-01-05T20:00+01:00", ("18:00", "20:00", "Europe/Berlin")),
        ("10178 Berlin", "Germany", "2027-07-05T18:00+02:00", "", ("18:00", "", "Europe/Berlin")),
        ("New York", "US", "2027-01-05T18:00-05:00", "", ("18:00", "", "America/New_York")),
        ("London", "GB", "2027-01-05T18:00Z", "", ("18:00", "", "Europe/London")),
        # The clocks change before the end.
        ("Berlin", "DE", "2027-03-27T23:00+01:00", "2027-03-28T04:00+01:00", ("23:00", "05:00", "Europe/Berlin")),
        # The second of two equal hours, which a wall-clock time cannot express.
        ("Berlin", "DE", "2027-10-31T02:30+01:00", "", ("02:30", "", "+01:00")),
        ("Berlin", "DE", "2027-10-31T00:30+02:00", "2027-10-31T02:30+01:00", ("00:30", "03:30", "+02:00")),
        # The town has another offset in summer, is not known, or is ambiguous.
        ("Berlin", "DE", "2027-07-05T18:00+01:00", "", ("18:00", "", "+01:00")),
        ("Berlin", "DE", "2027-07-05T16:00Z", "", ("16:00", "", "UTC")),
        ("Nowhere at all", "DE", "2027-01-05T18:00+01:00", "", ("18:00", "", "+01:00")),
        ("Springfield", "US", "2027-01-05T18:00-05:00", "", ("18:00", "", "-05:00")),
        ("", "", "2027-01-05T18:00+01:00", "", ("18:00", "", "+01:00")),
    ],
)
async def test_an_offset_becomes_the_zone_of_the_town(
    world: Gazetteer, clock: HandClock, town: str, country: str, starts: str, ends: str, read: tuple[str, str, str]
) -> None:
    address = {"@type": "PostalAddress", "addressLocality": town, "addressCountry": country}
    node = {"@type": "Event", "name": "Choir", "startDate": starts, "endDate": ends}
    node |= {"location": {"@type": "Place", "name": "Hall", "address": address}}
    content = f'<script type="application/ld+json">{json.dumps(node)}</script>'.encode()
    upload = Import(
        ImportId("1"),
        UserId("u"),
        ImportKind.EVENTS,
        Medium.PAGE,
        "",
        "https://a.example/",
        content,
        {},
        None,
        clock.now(),
    )
    with_list, without = [
        (await parse_upload(WORKERS, upload, FileReading("Asia/Tokyo", places=places))).events[0]
        for places in (world, None)
    ]
    typed = with_list.typed
    assert (typed.starts[11:], typed.ends[11:], typed.time_zone) == read
    assert (check(typed).starts_at, check(typed).ends_at) == (
        check(without.typed).starts_at,
        check(without.typed).ends_at,
    )
