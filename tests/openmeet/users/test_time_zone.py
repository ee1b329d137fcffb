"""People without a time zone are asked for it once. Until then they see event times in the events' own zones."""

import pytest

from groundwork.clock import HandClock
from openmeet.domain.users.queries import by_id
from openmeet.emails.notifications.texts import when_label
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

ASKED = "Which time zone are you in?"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def test_people_without_a_zone_are_asked_until_they_choose_one(site: Site) -> None:
    """The rest of the profile stays, and an invalid zone is refused. E-mails always name the event's zone."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await tx.execute("update users set bio = 'Plays chess' where id = :id", id=ana.user_id)
        event, now = await event_by(tx, ana), tx.now
    assert when_label(event, now).endswith("Berlin time")
    async with signed_in(site, ana.user_id) as browser:
        assert ASKED in (await browser.get("/my/events")).text
        assert "Not chosen yet" in (await browser.get("/settings/profile")).text
        wrong = await browser.post("/settings/time-zone", data={"time_zone": "Nowhere", "next": "/my/events"})
        assert wrong.status_code == 400
        said = {"time_zone": "America/Lima", "next": "/my/events"}
        assert (await browser.post("/settings/time-zone", data=said)).headers["location"] == "/my/events"
        assert ASKED not in (await browser.get("/my/events")).text
        assert "Not chosen yet" not in (await browser.get("/settings/profile")).text
    async with site.db.reader() as reader:
        user = await by_id(reader, ana.user_id)
    assert user is not None
    assert (user.time_zone, user.bio, user.display_name) == ("America/Lima", "Plays chess", "Ana")
