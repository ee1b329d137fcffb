"""A restarted server continues with its nonces, requests, pending codes and sessions."""

from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Engine
from tests.aurora_locus.deployment import SERVER, open_deployment
from tests.aurora_locus.oauth.apps import App
from tests.databases import MakeDatabase


@pytest.fixture
def engine() -> Engine:
    """Both engines store committed data, so one engine is enough; this tests whether the keys are loaded again."""
    return "sqlite"


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
