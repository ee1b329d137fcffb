"""The pages that the sitemap lists for search engines. The tests in ``privacy`` check that it contains nothing else."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance import event_hosting
from openmeet.domain.groups.model import GroupVisibility
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import ORIGIN, details, event_by, person, site_on


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


async def listed(site) -> list[str]:
    async with site.browser() as robot:
        answer = await robot.get("/sitemap.xml")
    assert answer.headers["content-type"].startswith("application/xml")
    assert "set-cookie" not in answer.headers
    found = ET.fromstring(answer.content)  # our own output
    return [one.text.removeprefix(ORIGIN) for one in found.iter() if one.tag.endswith("}loc") and one.text]


async def test_only_public_events_and_groups_are_in_the_sitemap(site, clock):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        stranger = Caller(await users.create_shadow(tx, display_name="Stranger"), "")
        tea = await event_by(tx, ana, title="お茶の時間")
        for visibility in ("unlisted", "private"):
            await event_by(tx, ana, visibility=visibility)
        theirs = await event_by(tx, stranger)
        await tx.execute("update events set origin = 'network' where id = :id", id=theirs.id)
        over = await event_by(tx, ana, title="Over", starts="2026-01-04T18:00", ends="2026-01-04T20:00")
        off = await event_by(tx, ana, title="Off")
        await event_hosting.cancel(tx, ana, off.slug, "Rain")
        gone = await event_by(tx, ana, title="Gone")
        await event_hosting.delete(tx, ana, gone.slug)
        group = await group_by(tx, ana)
        await group_by(tx, ana, visibility=GroupVisibility.PRIVATE)
    found = await listed(site)
    assert set(found) == {"/", "/groups", f"/groups/{group.slug}", *(url_of(one) for one in (tea, off))}
    assert over.slug not in " ".join(found)
    async with site.db.transaction() as tx:
        await event_hosting.revise(tx, ana, tea.slug, details(title="Tea", visibility="unlisted"))
    assert url_of(tea) not in await listed(site)
    clock.turn(200 * DAY)
    assert set(await listed(site)) == {"/", "/groups", f"/groups/{group.slug}"}


def url_of(event) -> str:
    return f"/events/{quote(event.slug)}"


async def test_robots_find_the_sitemap(site):
    async with site.browser() as robot:
        answer = await robot.get("/robots.txt")
    assert f"Sitemap: {ORIGIN}/sitemap.xml" in answer.text
    assert "Disallow: /mail/" in answer.text
