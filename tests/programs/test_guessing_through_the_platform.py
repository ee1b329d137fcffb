"""Failed passwords on the events platform's page count at the PDS for the visitor's address, within the usual limits."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from tests.aurora_locus.deployment import SERVER, Deployment, open_deployment
from tests.databases import MakeDatabase
from tests.plain_http import NO_TLS
from tests.simulation.processes import free_port

from aurora_locus.accounts import password_guesses
from groundwork.clock import HandClock
from groundwork.http.server import serving
from groundwork.rate_limit.contract import Limit
from groundwork.settings import Secret
from openmeet.tenants.configured import checked, read_tenants
from programs.platform import open_installation
from programs.web import open_site

KEY = "a key of sixteen characters"
GUESSES = 3
OWNERS, STRANGERS = "198.51.100.7", "192.0.2.66"

Open = Callable[[str], Awaitable[tuple[Deployment, httpx.AsyncClient]]]


@pytest.fixture
async def open_both_servers(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Open]:
    """A PDS with a key, and a platform with the given key, each behind one proxy."""
    monkeypatch.setattr(password_guesses, "WRONG_PASSWORDS", Limit("wrong_passwords", GUESSES, 86400))
    async with AsyncExitStack() as stack:

        async def open_both(platforms_key: str) -> tuple[Deployment, httpx.AsyncClient]:
            port = free_port()
            deployment = await stack.enter_async_context(
                open_deployment(
                    f"sqlite://{tmp_path / 'pds.db'}",
                    await make_sqlite("plc_directory"),
                    clock,
                    tmp_path,
                    port=port,
                    public_url=f"http://localhost:{port}",
                    trusted_proxy_hops=1,
                    rate_limits_enabled=True,
                    rate_limit_bypass_key=Secret(KEY),
                )
            )
            served_pds = await stack.enter_async_context(serving(deployment.pds.app, port=port))
            found = read_tenants(
                {
                    "data_directory": str(tmp_path / "openmeet"),
                    "dev_mode": True,
                    "dev_mailbox": True,
                    "allow_private_addresses": True,
                    "trusted_proxy_hops": 1,
                    "pds_url": served_pds.url.replace("127.0.0.1", "localhost"),
                    "pds_rate_limit_bypass_key": platforms_key,
                    "plc_url": deployment.directory.url,
                },
                {},
            )
            installation = await stack.enter_async_context(open_installation(checked(found), clock))
            app = await open_site(installation.default)
            served = await stack.enter_async_context(serving(app))
            browser = await stack.enter_async_context(
                httpx.AsyncClient(verify=NO_TLS, base_url=served.url, trust_env=False)
            )
            await deployment.sign_up("ada")
            return deployment, browser

        yield open_both


async def attempt(browser: httpx.AsyncClient, password: str, address: str, handle: str = "ada.test") -> int:
    headers = {"x-forwarded-for": address, "sec-fetch-site": "same-origin"}
    body = {"handle": handle, "password": password}
    return (await browser.post("/sign-in/handle", data=body, headers=headers)).status_code


async def directly(deployment: Deployment, password: str, address: str) -> int:
    body = {"identifier": "ada.test", "password": password}
    headers = {"x-forwarded-for": address}
    return (await deployment.http.post(f"/xrpc/{SERVER}.createSession", json=body, headers=headers)).status_code


async def test_guesses_count_per_visitor(open_both_servers: Open) -> None:
    """With the key, the PDS learns each visitor's address: guesses count for the visitor, and the owner gets in from a
    known address.
    """
    deployment, browser = await open_both_servers(KEY)
    assert await attempt(browser, "password of ada", OWNERS) == 303
    spellings = ["ada.test", "@ADA.test", "ada.test", "ada.test"]
    guesses = [await attempt(browser, "wrong", f"192.0.2.{n}", name) for n, name in enumerate(spellings)]
    assert guesses == [401] * GUESSES + [429]
    assert await attempt(browser, "password of ada", STRANGERS) == 429
    assert await directly(deployment, "password of ada", STRANGERS) == 429
    assert await attempt(browser, "password of ada", OWNERS) == 303
    assert await directly(deployment, "password of ada", OWNERS) == 200


async def test_platform_without_the_key_counts_as_one_client(open_both_servers: Open) -> None:
    """Without the key, the platform counts as one unknown client. Its address never becomes a known one of the owner,
    because all visitors share it.
    """
    deployment, browser = await open_both_servers("")
    assert await attempt(browser, "password of ada", OWNERS) == 303
    assert [await attempt(browser, "wrong", STRANGERS) for _ in range(GUESSES + 1)] == [401] * GUESSES + [429]
    assert await attempt(browser, "password of ada", OWNERS) == 429
    assert await deployment.count("known_sources") == 0
