"""Methods of this server that other kinds of services answer as well: the header ``atproto-proxy`` decides."""

from collections.abc import AsyncIterator

import pytest

from aurora_locus.federation.services import OF_NAMED_SERVICES
from tests.aurora_locus.deployment import Deployment, Person
from tests.aurora_locus.remote_service import RemoteService, open_remote_service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

LISTING = "com.atproto.sync.listReposByCollection"


@pytest.fixture
async def relay() -> AsyncIterator[RemoteService]:
    async with open_remote_service() as opened:
        yield opened


@pytest.fixture
async def ana(deployment: Deployment) -> Person:
    return await deployment.sign_up("ana")


@pytest.mark.parametrize("nsid", sorted(OF_NAMED_SERVICES))
async def test_call_goes_to_the_service_that_is_named(ana: Person, relay: RemoteService, nsid: str) -> None:
    relay.answer(nsid, {"of": "the relay"})
    headers = {**ana.headers, "atproto-proxy": f"{relay.did}#notes"}
    answer = await ana.http.get(f"/xrpc/{nsid}", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"of": "the relay"})
    (asked,) = relay.asked
    assert (asked.claims["iss"], asked.claims["lxm"]) == (ana.did, nsid)


async def test_call_without_a_service_or_for_this_one_is_answered_here(
    deployment: Deployment, ana: Person, relay: RemoteService
) -> None:
    for header in ({}, {"atproto-proxy": ""}, {"atproto-proxy": f"{deployment.settings.did}#atproto_pds"}):
        answer = await ana.http.get(
            f"/xrpc/{LISTING}", params={"collection": "org.example.note"}, headers={**ana.headers, **header}
        )
        assert (answer.status_code, answer.json()) == (200, {"repos": []})
    assert relay.asked == []


async def test_call_without_a_session_is_not_forwarded(deployment: Deployment, relay: RemoteService) -> None:
    answer = await deployment.http.get(f"/xrpc/{LISTING}", headers={"atproto-proxy": f"{relay.did}#notes"})
    assert (answer.status_code, answer.json()["error"]) == (401, "AuthMissing")
    assert relay.asked == []


async def test_body_without_a_media_type_is_forwarded_without_one(ana: Person, relay: RemoteService) -> None:
    nsid = "com.example.notes.putThing"
    relay.answer(nsid, {})
    headers = {**ana.headers, "atproto-proxy": f"{relay.did}#notes"}
    for body in (b"", b"text"):
        assert (await ana.http.post(f"/xrpc/{nsid}", content=body, headers=headers)).status_code == 200
    assert [(asked.body, "content-type" in asked.headers) for asked in relay.asked] == [(b"", False), (b"text", False)]
