"""Calls of apps to other services: which of them a grant permits, and to which service."""

from collections.abc import AsyncIterator

import pytest

from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import named
from tests.aurora_locus.oauth.scoped_app import SCOPE_MISSING, ScopedApp, let_in_scoped_app
from tests.aurora_locus.remote_service import RemoteService, open_remote_service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

ASK, TELL = "org.example.ask", "org.example.tell"


@pytest.fixture
async def stranger() -> AsyncIterator[RemoteService]:
    async with open_remote_service() as opened:
        for nsid in (ASK, TELL, "chat.bsky.convo.getLog"):
            opened.answer(nsid, {"said": nsid})
        yield opened


async def ask(one: ScopedApp, nsid: str, service: str) -> tuple[int, str]:
    """The status and the error name."""
    answer = await one.app.call(nsid, one.token, headers={"atproto-proxy": service})
    return (200, "") if answer.status_code == 200 else named(answer)


async def test_only_granted_calls_are_forwarded(deployment: Deployment, stranger: RemoteService) -> None:
    """Calls are forwarded if both method and service were granted. The token sent out is the account's, and nothing of
    the app's is forwarded.
    """
    ana = await deployment.sign_up("ana")
    notes, other = f"{stranger.did}#notes", f"{stranger.did}#bsky_appview"
    one = await let_in_scoped_app(
        deployment, ana.did, f"atproto rpc:{ASK}?aud={notes.replace('#', '%23').replace('%3A', '%253A')}"
    )
    assert await ask(one, ASK, notes) == (200, "")
    (asked,) = stranger.asked
    assert (asked.claims["iss"], asked.claims["aud"], asked.claims["lxm"]) == (ana.did, stranger.did, ASK)
    assert "dpop" not in asked.headers
    assert await ask(one, TELL, notes) == SCOPE_MISSING
    assert await ask(one, ASK, other) == SCOPE_MISSING
    assert len(stranger.asked) == 1


async def test_conversations_need_their_own_scope(deployment: Deployment, stranger: RemoteService) -> None:
    ana = await deployment.sign_up("ana")
    to = f"{stranger.did}#notes"
    generic = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic")
    assert await ask(generic, ASK, to) == (200, "")
    assert await ask(generic, "chat.bsky.convo.getLog", to) == SCOPE_MISSING
    chat = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic transition:chat.bsky")
    assert await ask(chat, "chat.bsky.convo.getLog", to) == (200, "")


async def test_without_a_scope_nothing_is_forwarded(deployment: Deployment, stranger: RemoteService) -> None:
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, "atproto repo:org.example.note")
    assert await ask(one, ASK, f"{stranger.did}#notes") == SCOPE_MISSING
    assert stranger.asked == []
