"""A restarted server continues with its nonces, requests, pending codes and sessions, also after an upgrade."""

from pathlib import Path

import pytest

from aurora_locus.oauth.model import RequestUnusable
from groundwork.clock import HandClock
from groundwork.database.transaction import Engine
from tests.aurora_locus.deployment import SERVER, Deployment, open_deployment
from tests.aurora_locus.oauth.apps import App, named
from tests.databases import MakeDatabase


@pytest.fixture
def engine() -> Engine:
    """Both engines store committed data, so one engine is enough; this tests whether the keys are loaded again."""
    return "sqlite"


DOCUMENT_WITH_ODD_NAME = '{"token_endpoint_auth_method": "none", "client_name": 7}'


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("client_document", DOCUMENT_WITH_ODD_NAME),
        ("client_document", "{"),
        ("permission_sets", '{"a": {"type": "b"}}'),
    ],
    ids=["the document as the app wrote it", "no JSON", "another kind of set"],
)
async def test_request_that_another_version_stored_has_expired(
    deployment: Deployment, column: str, stored: str
) -> None:
    """Earlier versions stored the whole documents of apps."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    uri = await app.pushed()
    code = await app.code(ana.did)
    async with deployment.db.transaction() as tx:
        assert await tx.execute(f"update oauth_requests set {column} = :stored", stored=stored) == 2
    with pytest.raises(RequestUnusable):
        await app.opened(uri)
    assert named(await app.spend(code)) == (400, "invalid_grant")


async def test_restart_loses_nothing(pds_url: str, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> None:
    plc = await make_sqlite("plc_directory")
    async with open_deployment(pds_url, plc, clock, tmp_path) as deployment:
        ana, app, other = await deployment.sign_up("ana"), App(deployment), App(deployment)
        tokens = await app.let_in(ana.did)
        uri = await other.pushed()
        code = await other.code(ana.did)
    async with open_deployment(pds_url, plc, clock, tmp_path) as deployment:
        app.deployment = other.deployment = deployment
        # With the nonce from before the restart, at the first attempt.
        assert (await app.call(f"{SERVER}.getSession", tokens.access_token)).status_code == 200
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": other.redirect,
            "code_verifier": other.verifier,
            "client_id": other.client_id,
        }
        assert (await other.post("/oauth/token", form)).status_code == 200
        assert (await app.refresh(tokens.refresh_token)).status_code == 200
        assert (await other.approved(uri, ana.did))["state"] == "state of the app"
