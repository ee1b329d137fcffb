"""A series as Atom and JSON Feed: its next stored dates, the same for everybody who has the address."""

from xml.etree import ElementTree as ET

import pytest

from groundwork.clock import DAY
from openmeet.series import calling_off, queries
from tests.openmeet.series.test_pages import FIRST, SECOND, THIRD, make, only
from tests.openmeet.site_under_test import sign_up, site_on

ATOM = "{http://www.w3.org/2005/Atom}"
KINDS = (("atom", "application/atom+xml"), ("json", "application/feed+json"))


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def ana(site):
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        yield browser


async def test_a_series_is_followed_in_feed_readers(site, ana):
    """Called-off dates say so, removed and private ones are absent; the host's file is everybody's."""
    path = await make(ana, online_url="https://meet.example/secret", mode="hybrid")
    known = await only(site)
    async with site.db.transaction() as tx:
        series = await queries.lock(tx, known.id)
        assert series is not None
        await calling_off.cancel_dates(tx, series, [SECOND], "ill")
        await calling_off.remove_dates(tx, series, [THIRD])
    async with site.browser() as anybody:
        page = (await anybody.get(path)).text
        for kind, media_type in KINDS:
            assert f'type="{media_type}" title="Practice" href="{path}.{kind}"' in page
            assert f'<a href="{path}.{kind}">' in page
            got = await anybody.get(f"{path}.{kind}")
            assert got.headers["content-type"].split(";")[0] == media_type
            assert "secret" not in got.text
            assert (await ana.get(f"{path}.{kind}")).content == got.content
            for same in ({"if-none-match": got.headers["etag"]}, {"if-modified-since": got.headers["last-modified"]}):
                assert (await anybody.get(f"{path}.{kind}", headers=same)).status_code == 304
        found = (await anybody.get(f"{path}.json")).json()
        feed = ET.fromstring((await anybody.get(f"{path}.atom")).content)  # our own bytes
    titles = [item["title"] for item in found["items"]]
    assert titles[:3] == ["Practice", "Cancelled: Practice", "Practice"]
    days = [item["content_text"].split(",")[0] for item in found["items"]]
    assert days[:3] == ["Tuesday 3 March 2026", "Tuesday 10 March 2026", "Tuesday 24 March 2026"]
    assert [entry.findtext(f"{ATOM}title") for entry in feed.findall(f"{ATOM}entry")] == titles
    assert (found["title"], found["home_page_url"]) == ("Practice", f"http://openmeet.test{path}")
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"alternate": f"http://openmeet.test{path}", "self": f"http://openmeet.test{path}.atom"}


async def test_a_change_is_a_new_file_by_its_tag_and_by_its_date(site, ana):
    path = await make(ana)
    before = await ana.get(f"{path}.json")
    site.clock.turn(DAY // 24)
    await ana.post(f"{path}/cancel", data={"which": "some", f"date_{FIRST}": "yes"})
    for known in ({"if-none-match": before.headers["etag"]}, {"if-modified-since": before.headers["last-modified"]}):
        assert (await ana.get(f"{path}.json", headers=known)).status_code == 200
