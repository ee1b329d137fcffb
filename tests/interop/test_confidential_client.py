"""The official OAuth client as an app in production: a confidential client (private_key_jwt) over https.

The PDS fetches the app's metadata and keys from the app's own https origin. Both have names under ``example.com`` that
resolve to this machine, because the client refuses localhost and IP addresses. Only the ports differ from production.
"""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from aurora_locus.oauth.clients import FRESH_SECONDS
from groundwork.clock import SECOND, HandClock, SystemClock
from groundwork.http.server import serve
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.interop.client_programs import next_line_of, run_program
from tests.interop.conftest import NODE
from tests.interop.consent import allow
from tests.passwords import hash_cheaply
from tests.simulation.processes import free_port
from tests.tls import Certificate, make_certificate, tls_before

pytestmark = [needs("node"), pytest.mark.usefixtures("node_modules")]

SCOPE = "atproto repo:org.example.note"


def _resolve_here(patch: pytest.MonkeyPatch) -> None:
    """Let every name under example.com resolve to this machine."""
    look_up = socket.getaddrinfo

    def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        return look_up("127.0.0.1" if name.endswith(".example.com") else host, *arguments, **options)

    patch.setattr(socket, "getaddrinfo", look_up_here)


@dataclass
class PublishedApp:
    """The https origin of the app. ``documents`` maps paths to the JSON that it serves."""

    url: str
    documents: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> JSONResponse:
        self.asked.append(request.url.path)
        return JSONResponse(self.documents[request.url.path])


@dataclass(frozen=True)
class TlsNetwork:
    """A PDS and an app, each with its own https origin."""

    deployment: Deployment
    app: PublishedApp
    certificate: Certificate


@pytest.fixture
async def tls_network(
    make_sqlite: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TlsNetwork]:
    certificate = make_certificate(tmp_path / "authority", "pds.example.com", "app.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.chain))
    _resolve_here(monkeypatch)
    hash_cheaply(monkeypatch)
    # The client signs its assertions by the machine's clock.
    clock = HandClock(SystemClock().now())
    pds_port, inner_pds, app_port, inner_app = (free_port() for _ in range(4))
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(
            open_deployment(
                f"sqlite://{tmp_path / 'pds.db'}",
                await make_sqlite("plc_directory"),
                clock,
                tmp_path,
                port=inner_pds,
                public_url=f"https://pds.example.com:{pds_port}",
            )
        )
        serving = await serve(deployment.pds.app, "127.0.0.1", inner_pds)
        stack.push_async_callback(serving.stop)
        await stack.enter_async_context(tls_before(inner_pds, certificate, on=pds_port))
        app = PublishedApp(f"https://app.example.com:{app_port}")
        site = Starlette(routes=[Route("/{name}", app.answer)])
        serving = await serve(site, "127.0.0.1", inner_app)
        stack.push_async_callback(serving.stop)
        await stack.enter_async_context(tls_before(inner_app, certificate, on=app_port))
        yield TlsNetwork(deployment, app, certificate)


async def test_confidential_client_signs_in_rotates_its_key_and_loses_it(tls_network: TlsNetwork) -> None:
    """The client signs in and writes. After a restart with a second key, its session is refreshed with the first one;
    once that is no longer published, the session cannot be refreshed any more.
    """
    deployment, app = tls_network.deployment, tls_network.app
    ana = await deployment.sign_up("ana")
    command = (
        *("env", f"NODE_EXTRA_CA_CERTS={tls_network.certificate.chain}"),
        *("node", NODE / "oauth_confidential.mjs", deployment.settings.url, deployment.directory.url, app.url),
        *("ana.test", SCOPE),
    )
    async with run_program(*command, cwd=NODE) as process:

        async def told() -> dict[str, Any]:
            return dict(json.loads(await next_line_of(process)))

        def answer(text: str) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{text}\n".encode())

        published = await told()
        app.documents = {"/client-metadata.json": published["metadata"], "/jwks.json": published["jwks"]}
        where = str((await told())["where"])
        assert app.asked == ["/client-metadata.json", "/jwks.json"]
        back = await allow(where, "ana.test", "password of ana", trust=tls_network.certificate.trusting())
        assert back.startswith(f"{app.url}/callback?")
        answer(back)
        assert await told() == {"did": ana.did, "state": "kept by the app"}
        assert str((await told())["uri"]).startswith(f"at://{ana.did}/org.example.note/")

        app.documents["/jwks.json"] = (await told())["jwks"]
        answer("the second key is published")
        refreshed = await told()
        assert refreshed["refreshed"] == SCOPE
        assert str(refreshed["uri"]).startswith(f"at://{ana.did}/org.example.note/")

        app.documents["/jwks.json"] = (await told())["jwks"]
        deployment.clock.turn((FRESH_SECONDS + 1) * SECOND)
        answer("the first key is no longer published")
        assert "refused" in (await told())["without"]
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select client_id from oauth_sessions")
    assert [row["client_id"] for row in rows] in ([], [f"{app.url}/client-metadata.json"])
