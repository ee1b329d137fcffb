"""Keep-alive pings on the live streams of the PDS: a silent stream stays open, and a dead peer is disconnected."""

import pytest

from groundwork.http import server
from tests.aurora_locus.deployment import Deployment
from tests.websocket_pings import assert_closed_without_pongs, assert_open_while_pings_are_answered

STREAMS = ("/xrpc/com.atproto.sync.subscribeRepos", "/xrpc/com.atproto.label.subscribeLabels", "/subscribe")


@pytest.fixture(autouse=True)
def short_ping_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the ping interval before the server starts."""
    monkeypatch.setattr(server, "PING_SECONDS", 0.01)


@pytest.fixture
def short_pong_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PONG_SECONDS", 0.01)


@pytest.mark.parametrize("path", STREAMS)
async def test_silent_stream_stays_open_while_its_reader_answers_pings(deployment: Deployment, path: str) -> None:
    await assert_open_while_pings_are_answered(deployment.url + path)


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.usefixtures("short_pong_limit")
async def test_reader_that_answers_no_ping_is_disconnected(deployment: Deployment, path: str) -> None:
    await assert_closed_without_pongs(deployment.url + path)
