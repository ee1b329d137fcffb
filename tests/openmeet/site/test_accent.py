"""The accent colour that the operator of a site sets: on every page, also offline, without inline styles."""

import re
from collections.abc import Sequence

import pytest

from groundwork.clock import HandClock
from groundwork.ui.colours import accent_stylesheet
from openmeet.settings import Settings
from openmeet.settings_checks import contradictions
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, site_on

LINK = re.compile(r'<link rel="stylesheet" href="(/static/[^"]+)">')
PURPLE, ORANGE = "#6b21a8", "#ff7a00"


async def sheets(site: Site, path: str) -> Sequence[str]:
    """The URLs of the stylesheets of a page, which are its only styles."""
    async with site.browser() as browser:
        page = await browser.get(path)
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "<style" not in page.text
    return LINK.findall(page.text)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/groups", "/offline", "/nothing"])
async def test_its_stylesheet_is_the_last_on_every_page(make_sqlite: MakeDatabase, clock: HandClock, path: str) -> None:
    db = await make_sqlite("openmeet")
    branded, plain = site_on(db, clock, accent_color=PURPLE), site_on(db, clock)
    found = await sheets(branded, path)
    assert found[:-1] == await sheets(plain, path)
    async with branded.browser() as browser:
        answer = await browser.get(found[-1])
    assert (answer.content, answer.headers["content-type"]) == (accent_stylesheet(PURPLE), "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]


async def test_each_community_has_its_own(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The stylesheet of one is not served by the other, so that no cache can mix them up."""
    db = await make_sqlite("openmeet")
    one, other, plain = (site_on(db, clock, accent_color=colour) for colour in (PURPLE, ORANGE, ""))
    theirs = (await sheets(other, "/"))[-1]
    assert theirs != (await sheets(one, "/"))[-1]
    for site in (one, plain):
        async with site.browser() as browser:
            assert (await browser.get(theirs)).status_code == 404


def test_anything_but_a_colour_stops_the_start() -> None:
    (said,) = contradictions(Settings(accent_color="purple", dev_mailbox=True))
    assert said == "OPENMEET_ACCENT_COLOR is 'purple'; write a colour as #rrggbb."
    assert contradictions(Settings(accent_color=PURPLE, dev_mailbox=True)) == []
