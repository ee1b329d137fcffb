"""Public pages link to their record; other pages have no such link."""

import re

import pytest

from openmeet.domain.events import event_records
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import record_queries
from openmeet.domain.series import queries as series_queries
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import event_by, person, site_on

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def records_of(site, path):
    """The at-uris in a page's head."""
    async with site.browser() as browser:
        page = await browser.get(path)
    assert page.status_code == 200
    head = page.text.partition("</head>")[0]
    return re.findall(r'<link rel="alternate" href="(at://[^"]*)">', head)


async def test_events_link_to_their_record(site):
    """There is no link before the record exists. An event that is not public has none, even if it once had a record."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        made = [await event_by(tx, ana, visibility=one) for one in ("public", "unlisted")]
        bare = await event_by(tx, ana, title="Without a record")
        for number, event in enumerate(made):
            uri = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2{number + 2}"
            await event_records.set_record(tx, event.id, uri, CID, DID)
    assert await records_of(site, f"/events/{made[0].slug}") == [
        f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs22"
    ]
    assert await records_of(site, f"/events/{made[1].slug}") == []
    assert await records_of(site, f"/events/{bare.slug}") == []


@pytest.mark.parametrize(("visibility", "found"), [(Visibility.PUBLIC, 1), (Visibility.UNLISTED, 0)])
async def test_series_link_to_their_record(site, visibility, found):
    async with site.db.transaction() as tx:
        _, series = await create_weekly_series(tx, visibility=visibility)
    assert await records_of(site, f"/series/{series.slug}") == []
    uri = f"at://{DID}/openmeet.lexicon.series/3mqdau33ozs22"
    async with site.db.transaction() as tx:
        await series_queries.set_record(tx, series.id, uri)
    assert await records_of(site, f"/series/{series.slug}") == [uri] * found


@pytest.mark.parametrize(("visibility", "found"), [("public", 1), ("unlisted", 0)])
async def test_groups_link_to_their_record(site, visibility, found):
    uri = f"at://{DID}/openmeet.lexicon.group/3mqdau33ozs22"
    async with site.db.transaction() as tx:
        group = await group_by(tx, await person(tx, "Ana"), visibility=visibility)
    assert await records_of(site, f"/groups/{group.slug}") == []
    async with site.db.transaction() as tx:
        await record_queries.set_record(tx, group.id, uri, CID)
    assert await records_of(site, f"/groups/{group.slug}") == [uri] * found
