"""The URLs of a PDS that are not methods: health, domain proofs, and the server's description of itself."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from aurora_locus.accounts import creation
from aurora_locus.accounts.account_requests import AccountRequest
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment
from tests.polling import until
from tests.timeouts import TIMEOUT_SECONDS

sqlite_only = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@sqlite_only
async def test_robots_are_allowed(deployment: Deployment) -> None:
    assert "Allow: /" in (await deployment.http.get("/robots.txt")).text


@sqlite_only
async def test_health(deployment: Deployment) -> None:
    for answer in (await deployment.http.get("/xrpc/_health"), await deployment.http.head("/xrpc/_health")):
        assert answer.status_code == 200
    said = (await deployment.http.get("/xrpc/_health")).json()
    assert (said["version"], said["checks"]) == ("test", {"database": "ok", "writes": "ok", "blobs": "ok"})
    assert all(0 <= age < 60 for age in said["ages"].values())


@asynccontextmanager
async def locked(url: str, server: str | None) -> AsyncIterator[None]:
    """An SQLite file locked by another writer, or a PostgreSQL database that accepts no connections."""
    if server is None:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"))) as file:
            file.execute("begin immediate")
            yield
        return
    name = url.rsplit("/", 1)[1]
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'alter database "{name}" allow_connections false')
        async with asyncio.timeout(TIMEOUT_SECONDS):
            # Termination is a signal; until it arrives a connection still answers.
            while await connection.fetch(  # noqa: ASYNC110 - a server that tells nobody
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
            ):
                await asyncio.sleep(0.01)
        yield
    finally:
        await connection.execute(f'alter database "{name}" allow_connections true')
        await connection.close()


async def test_health_with_a_locked_database_fails_without_waiting(
    deployment: Deployment, pds_url: str, request: pytest.FixtureRequest
) -> None:
    server = None if pds_url.startswith("sqlite") else request.getfixturevalue("postgres_url")
    """After a probe has met the lock, every response reports that until the next probe; no request waits for a probe.
    """
    answers = []

    async def is_failing() -> bool:
        answers.append(await deployment.http.get("/xrpc/_health"))
        return bool(answers[-1].status_code != 200)

    async def is_well() -> bool:
        return not await is_failing()

    async with locked(pds_url, server):
        await until(is_failing)
    answer = answers[-1]
    assert answer.status_code == 503
    assert answer.json()["error"] == "Nothing can be written at the moment."
    assert answer.json()["checks"]["writes"] != "ok"
    await until(is_well)


async def test_handle_is_proven_by_host_name(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    path = "/.well-known/atproto-did"
    answer = await deployment.http.get(path, headers={"host": "ANA.test:3000"})
    assert (answer.status_code, answer.text) == (200, ana.did)
    assert answer.headers["content-type"].startswith("text/plain")
    assert (await deployment.http.get(path, headers={"host": "nobody.test"})).status_code == 404
    await ana.post(f"{SERVER}.deactivateAccount", {})
    assert (await deployment.http.get(path, headers={"host": "ana.test"})).status_code == 404


@sqlite_only
async def test_server_describes_its_own_did(deployment: Deployment) -> None:
    document = (await deployment.http.get("/.well-known/did.json")).json()
    assert document["id"] == deployment.settings.did
    assert document["service"][0]["serviceEndpoint"] == deployment.settings.url


@sqlite_only
async def test_server_with_another_did_has_no_document_here(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(service_did="did:web:elsewhere.example")
    answer = await deployment.http.get("/.well-known/did.json")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@sqlite_only
async def test_describe_server_returns_the_settings(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(
        invite_required=True, contact_email_address="host@example.org", privacy_policy_url="https://example.org/privacy"
    )
    said = (await deployment.stranger.get(f"{SERVER}.describeServer")).json()
    assert said["did"] == deployment.settings.did
    assert said["availableUserDomains"] == [".test"]
    assert said["inviteCodeRequired"] is True
    assert said["contact"] == {"email": "host@example.org"}
    assert said["links"] == {"privacyPolicy": "https://example.org/privacy"}


@sqlite_only
@pytest.mark.parametrize("path", ["/nothing", "/xrpc", "/.well-known/nothing"])
async def test_unknown_path_is_not_found(deployment: Deployment, path: str) -> None:
    assert (await deployment.http.get(path)).status_code == 404


@sqlite_only
async def test_cross_origin_scripts_may_read(deployment: Deployment) -> None:
    origin = {"origin": "https://app.example"}
    answer = await deployment.http.get(
        f"/xrpc/{IDENTITY}.resolveHandle", params={"handle": "nobody.test"}, headers=origin
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "RateLimit-Limit" in answer.headers["access-control-expose-headers"]


async def test_certificates_are_allowed_for_this_server_and_existing_handles(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    own = urlsplit(deployment.settings.url).hostname
    for domain, status in ((own, 200), ("ana.test", 200), ("Ana.TEST", 200), ("nobody.test", 404), ("", 404)):
        assert (await deployment.http.get("/tls-check", params={"domain": domain})).status_code == status, domain
    assert (await deployment.http.get("/tls-check")).status_code == 404


async def test_certificates_need_an_account_that_is_public(deployment: Deployment) -> None:
    """Accounts whose address is not confirmed do not count: anybody could sign up many times to exhaust the operator's
    certificate quota.
    """

    async def is_allowed(domain: str) -> bool:
        return (await deployment.http.get("/tls-check", params={"domain": domain})).status_code == 200

    registry = replace(deployment.pds.registry, confirms_email=True)
    await creation.create(registry, AccountRequest(handle="ben.test", email="ben@example.org", password="a password"))
    assert not await is_allowed("ben.test")
    ana = await deployment.sign_up("ana")
    assert (await ana.post(f"{SERVER}.deactivateAccount", {})).status_code == 200
    assert not await is_allowed("ana.test")
    assert (await ana.post(f"{SERVER}.activateAccount")).status_code == 200
    assert await is_allowed("ana.test")


@pytest.mark.parametrize(
    "domain",
    ["%00", "a%00b.test", "%ED%A0%80", "%FF", "x" * 3000],
    ids=["NUL", "inner NUL", "surrogate", "bytes", "long"],
)
async def test_certificate_for_a_hostile_domain_is_refused(deployment: Deployment, domain: str) -> None:
    """Text that a database cannot store or compare is an error of the caller, not of the server."""
    assert (await deployment.http.get(f"/tls-check?domain={domain}")).status_code in {400, 404}
