"""Refreshing tokens at a failing server: its circuit opens as for any other call, and no refresh token is used
meanwhile.
"""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from at_network.circuits import FIRST_PAUSE, OPENS_AFTER, Circuits, CircuitState
from at_network.oauth_client import OAuthCalls, OAuthClientIdentity, ServerNonces
from at_protocol.crypto import p256
from at_protocol.oauth.server_metadata import ServerMetadata, describe_server, parse_server
from groundwork.clock import SECOND, HandClock
from groundwork.errors import CircuitOpen, Failure, NotSignedIn, RemoteFailed, TooMany
from groundwork.http.client import HttpClient
from groundwork.http.server import serving

CLIENT = OAuthClientIdentity("http://localhost")
TOKENS = {
    "access_token": "a",
    "refresh_token": "b",
    "token_type": "DPoP",
    "expires_in": 900,
    "scope": "atproto",
    "sub": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
}


class Server:
    """Answers every token request with ``answer`` and counts the requests."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, object], dict[str, str]] = (200, TOKENS, {})
        self.asked = 0

    async def take(self, _request: Request) -> Response:
        self.asked += 1
        status, body, headers = self.answer
        return JSONResponse(body, status, headers)


async def test_open_circuit_blocks_token_requests(http: HttpClient, clock: HandClock):
    server, circuits = Server(), Circuits(clock)
    key = p256.P256PrivateKey(b"\x01" * 32)
    async with serving(Router([Route("/oauth/token", server.take, methods=["POST"])])) as served:
        metadata = _metadata(served.url)
        calls = OAuthCalls(http, clock, ServerNonces(), circuits)

        async def refresh() -> Failure | None:
            try:
                await calls.refresh(metadata, CLIENT, key, "old")
            except Failure as failure:
                return failure
            return None

        server.answer = (503, {}, {})
        for _ in range(OPENS_AFTER):
            assert isinstance(await refresh(), RemoteFailed)
        refused = await refresh()
        assert isinstance(refused, CircuitOpen)
        assert (refused.after_seconds, server.asked) == (FIRST_PAUSE / SECOND, OPENS_AFTER)
        # Failed background refreshes do not block a request of a person who waits in a browser.
        with pytest.raises(RemoteFailed):
            await calls.exchange(metadata, CLIENT, key, code="c", verifier="v", redirect_uri="http://127.0.0.1/")
        clock.turn(FIRST_PAUSE)
        server.answer = (200, TOKENS, {})
        assert await refresh() is None
        assert circuits.state_of(metadata.issuer) is CircuitState.CLOSED
        # The end of a session does not count as a failure of the server.
        server.answer = (400, {"error": "invalid_grant"}, {})
        for _ in range(OPENS_AFTER):
            assert isinstance(await refresh(), NotSignedIn)
        # A rate limit does not count as a failure either.
        server.answer = (429, {}, {"retry-after": "60"})
        assert isinstance(await refresh(), TooMany)
        assert circuits.state_of(metadata.issuer) is CircuitState.CLOSED


def _metadata(url: str) -> ServerMetadata:
    return parse_server(describe_server(url, url), url, is_development=True)
