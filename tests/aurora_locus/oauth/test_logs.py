"""Logs of the whole flow, including refusals, contain nothing usable (invariant 8)."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from groundwork.database.transaction import Engine
from groundwork.telemetry.logs import LogFormat, configure
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.oauth.apps import App
from tests.aurora_locus.oauth.conftest import Confidential


@pytest.fixture
def engine() -> Engine:
    """Logging does not depend on the database."""
    return "sqlite"


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    """Everything that is logged, including debug messages."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    configure(LogFormat.JSON, level="debug", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def test_no_secret_is_logged(deployment: Deployment, log_output: io.StringIO, confidential: Confidential) -> None:
    deployment.pds.app._access_log = True
    ana, app = await deployment.sign_up("ana"), confidential()
    uri = await app.pushed()
    code = (await app.approved(uri, ana.did))["code"]
    assert (await app.spend(code, code_verifier="w" * 43)).status_code == 400
    tokens = (await app.spend(code)).json()
    assertion = app.assertion()["client_assertion"]
    proof = app.proof("GET", f"/xrpc/{SERVER}.getSession", access_token=tokens["access_token"])
    assert (await app.call(f"{SERVER}.getSession", tokens["access_token"], proof=proof)).status_code == 200
    assert (await app.call(f"{SERVER}.getSession", tokens["access_token"], proof=proof)).status_code == 401
    refreshed = (await app.refresh(tokens["refresh_token"])).json()
    assert (await app.refresh(tokens["refresh_token"])).status_code == 400
    logged = log_output.getvalue()
    assert logged.count('"request.answered"') > 8
    secrets = {
        "request": uri.rpartition(":")[2],
        "code": code,
        "verifier": app.verifier,
        "proof": proof.rpartition(".")[2],
        "assertion": assertion.rpartition(".")[2],
        **{f"first {name}": str(tokens[name]).rpartition(".")[2] for name in ("access_token", "refresh_token")},
        **{f"second {name}": str(refreshed[name]).rpartition(".")[2] for name in ("access_token", "refresh_token")},
    }
    assert not [name for name, secret in secrets.items() if secret in logged]


async def test_bug_reveals_nothing(
    deployment: Deployment, log_output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an internal error the traceback is logged without the request's content, and the response is a regular
    OAuth error.
    """
    app = App(deployment)
    await app.push()

    def broken(*_arguments: object) -> None:
        raise RuntimeError(f"cannot read {proof}")

    proof = app.proof("POST", "/oauth/token")
    monkeypatch.setattr(type(deployment.pds.authorization.refresh_tokens), "read", broken)
    form = {"grant_type": "refresh_token", "refresh_token": "ref-of-somebody", "client_id": app.client_id}
    answer = await app.post("/oauth/token", form, proof=proof)
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert "request.failed" in log_output.getvalue()
    assert proof.rpartition(".")[2] not in log_output.getvalue()
    assert "ref-of-somebody" not in log_output.getvalue()
