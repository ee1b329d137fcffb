"""A session that was left open or stolen does not become another way to sign in, and so does not open the account for
good (decision 0163).
"""

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.web.account.recent_proof import PROOF_LASTS
from tests.databases import MakeDatabase
from tests.openmeet.account_merge.join_pages import prove_address
from tests.openmeet.site_under_test import Site, sign_up, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def _owners(site: Site) -> list[tuple[str, str]]:
    """Name and address of each account."""
    async with site.db.reader() as reader:
        rows = await reader.fetch("select display_name, email from users order by display_name")
    return [(row["display_name"], row["email"]) for row in rows]


async def _is_asked_to_sign_in(browser: httpx.AsyncClient, path: str) -> bool:
    return f"/sign-in?again=yes&amp;next={path}" in (await browser.get(path)).text


async def test_it_merges_no_account_of_the_thief(site: Site, clock: HandClock) -> None:
    """Otherwise the thief's own session, which is fresh, would be one of the victim: it could change the address."""
    async with site.browser() as stolen, site.browser() as own:
        await sign_up(stolen, "ana@example.org", "Ana")
        await sign_up(own, "eve@example.org", "Eve")
        claim = await prove_address(stolen, "eve@example.org")
        clock.turn(PROOF_LASTS + 1)
        await sign_up(own, "eve@example.org", "Eve")
        before = await _owners(site)
        asked = await stolen.post("/settings/join", data={"email": "eve@example.org"})
        assert asked.headers["location"] == "/settings/join"
        entered = await stolen.post("/settings/join/code", data={"challenge": "any", "code": "7KQM2PXA"})
        assert entered.headers["location"] == "/settings/join"
        assert await _is_asked_to_sign_in(stolen, "/settings/join")
        assert (await stolen.post(claim)).headers["location"] == claim
        assert await _is_asked_to_sign_in(stolen, claim)
        assert await _owners(site) == before
        # Once they have signed in again, the owner can merge the two.
        await sign_up(stolen, "ana@example.org", "Ana")
        await stolen.post(claim)
        assert len(await _owners(site)) == len(before) - 1


async def test_it_connects_no_network_account_of_the_thief(site: Site, clock: HandClock) -> None:
    async with site.browser() as stolen:
        await sign_up(stolen, "ana@example.org", "Ana")
        clock.turn(PROOF_LASTS + 1)
        left = await stolen.post("/settings/identity/link", data={"identifier": "eve.example"})
        assert (left.status_code, left.headers["location"]) == (303, "/settings/identity")
