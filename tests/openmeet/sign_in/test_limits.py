"""How often one client may try to sign in."""

import pytest

from groundwork.cache.in_process import InProcessCache
from groundwork.clock import MINUTE
from openmeet.web.sign_in.limits import CODE_TRIES, CODES, PASSWORDS_OF_ONE
from tests.openmeet.identities.offline_clients import offline_network
from tests.openmeet.site_under_test import change_services, site_on


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def ask(browser, number):
    return await browser.post("/sign-in", data={"identifier": f"person{number}@example.org"})


async def test_codes_requested_per_client_address_are_limited(site, clock):
    async with site.browser() as browser:
        statuses = [(await ask(browser, number)).status_code for number in range(CODES.points + 1)]
        assert statuses == [303] * CODES.points + [429]
        refused = await browser.post("/api/session/code", json={"email": "x@example.org"})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= CODES.window_seconds
        in_german = await browser.post(
            "/sign-in", data={"identifier": "x@example.org"}, headers={"accept-language": "de"}
        )
        assert "Zu viele Versuche. Versuch es in 10 Minuten noch einmal." in in_german.text
        clock.turn(10 * MINUTE)
        assert (await ask(browser, 0)).status_code == 303


async def test_code_guesses_are_limited(site):
    async with site.browser() as browser:
        statuses = {
            (await browser.post("/api/session", json={"challengeId": f"c{number}", "code": "000000"})).status_code
            for number in range(CODE_TRIES.points + 1)
        }
    assert statuses == {400, 429}


async def test_guessing_a_handles_password_is_limited(site, clock):
    """Every attempt counts, whatever its result. In this test no server can be reached."""
    async with offline_network(clock, InProcessCache(clock)) as network, site.browser() as browser:
        change_services(site.app, network=network)
        typed = {"handle": "did:plc:4hodhjl2kposuchzvpiviwps", "password": "guess"}
        statuses = [
            (await browser.post("/sign-in/handle", data=typed)).status_code for _ in range(PASSWORDS_OF_ONE.points + 1)
        ]
    assert [status == 429 for status in statuses] == [False] * PASSWORDS_OF_ONE.points + [True]


async def test_development_has_no_limits(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock, dev_mode=True)
    async with site.browser() as browser:
        assert {(await ask(browser, number)).status_code for number in range(CODES.points + 1)} == {303}
