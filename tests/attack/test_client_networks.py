"""Rate limits per client: a provider gives each customer 2^64 IPv6 addresses, and all of them count as one."""

from collections.abc import Sequence
from typing import Final

import httpx
import pytest

from at_protocol.lexicon.authority import own_name
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import HandClock, Instant
from groundwork.rate_limit.contract import Limit, LimitState
from groundwork.rate_limit.in_process import InProcessCounters
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_network
from tests.openmeet.site_under_test import change_services, event_by, person, site_on

_CODE: Final = {"challenge": "none", "code": "2345 6789"}
_GUEST: Final = {"email": "guest@example.org", "display_name": "Guest", "reply": "going"}
_PREVIEW: Final = {"startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin", "recurrence": "FREQ=WEEKLY"}
_HANDLE: Final = {"handle": "did:plc:4hodhjl2kposuchzvpiviwps", "password": "guess"}
_TOKEN: Final = {"authorization": "Bearer nobody"}
_QUERY: Final = f"/xrpc/{own_name('listEvents')}"

# The name of a limit and a request that it counts.
REQUESTS: Final = (
    ("codes", "POST", "/sign-in", {"data": {"identifier": "ana@example.org"}}),
    ("codes", "POST", "/api/session/code", {"json": {"email": "ana@example.org"}}),
    ("code_tries", "POST", "/sign-in/code", {"data": _CODE}),
    ("code_tries", "POST", "/sign-in/link/none", {"data": {"time_zone": "UTC"}}),
    ("code_tries", "POST", "/api/session", {"json": {"challengeId": "none", "code": "2345 6789"}}),
    ("departures", "POST", "/sign-in/network", {"data": {"identifier": _HANDLE["handle"]}}),
    ("returns", "GET", "/sign-in/callback?state=x&iss=x&code=x", {}),
    ("passwords", "POST", "/sign-in/handle", {"data": _HANDLE}),
    ("passwords_of_one", "POST", "/sign-in/handle", {"data": _HANDLE}),
    ("kept_forms", "POST", "/sign-in/form?to=/events/new", {"data": {"title": "Board games"}}),
    ("guest_letters", "POST", "/events/{slug}/guest-answer", {"data": _GUEST}),
    ("series_previews", "POST", "/api/series/preview", {"json": _PREVIEW}),
    ("places", "GET", "/api/places?q=berl", {}),
    ("api_address", "GET", "/api/events", {}),
    ("api_address", "GET", _QUERY, {}),
    ("xrpc_server", "GET", _QUERY, {"headers": _TOKEN}),
    ("pages", "GET", "/sign-in", {}),
    ("pages", "GET", "/events.ics", {}),
    ("pages", "GET", "/no/such/page", {}),
    ("pictures", "GET", "/covers/art-00000000000000f1.svg", {}),
)


class OneAttempt(InProcessCounters):
    """Counters that allow one attempt for a single limit and any number for all others."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    async def add_each(self, charges: Sequence[tuple[Limit, str]], points: int, now: Instant) -> list[LimitState]:
        strict = [
            (Limit(limit.name, 1 if limit.name == self._name else 1_000_000, limit.window_seconds), key)
            for limit, key in charges
        ]
        return await super().add_each(strict, points, now)


@pytest.mark.parametrize(("name", "method", "path", "sent"), REQUESTS)
async def test_addresses_of_one_network_share_one_limit(
    make_sqlite: MakeDatabase, clock: HandClock, name: str, method: str, path: str, sent: dict[str, object]
) -> None:
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    site = site_on(db, clock, trusted_proxy_hops=1)
    async with offline_network(clock, InProcessCache(clock)) as network, site.browser() as browser:
        change_services(site.app, counters=OneAttempt(name), network=network)

        async def is_refused(address: str) -> bool:
            headers = {"x-forwarded-for": address, **sent.get("headers", {})}  # type: ignore[dict-item]
            parts = {key: value for key, value in sent.items() if key != "headers"}
            answer: httpx.Response = await browser.request(
                method,
                path.format(slug=event.slug),
                headers=headers,
                **parts,  # type: ignore[arg-type]
            )
            assert answer.status_code < 500 or answer.status_code == 502, answer.text
            return answer.status_code == 429

        assert [
            await is_refused("2001:470:1:2::1"),
            await is_refused("2001:470:1:2:ffff::1"),
            await is_refused("2001:470:1:3::1"),
            await is_refused("93.184.215.14"),
            await is_refused("::ffff:93.184.215.14"),
        ] == [False, True, False, False, True]
