"""Somebody whose address a host invited answers with the link in the e-mail, without an account or a name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY, Site, event_by, sign_up, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The browsers of the host and the invited person, the path of the event, and the token of the e-mail's links."""

    host: httpx.AsyncClient
    invited: httpx.AsyncClient
    event_path: str
    token: str


@asynccontextmanager
async def invitation(site: Site) -> AsyncIterator[Invitation]:
    async with site.browser() as ana, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.reader() as reader:
            host = await by_email(reader, "ana@example.org")
        assert host is not None
        async with site.db.transaction() as tx:
            event = await event_by(tx, Caller(host.id, "Ana"), visibility="private")
        await ana.post(f"/events/{event.slug}/attendees/invite", data={"email": "eve@example.org"})
        async with site.db.transaction() as tx:
            guest_id = await guests.by_email(tx, "eve@example.org")
            assert guest_id is not None
            token = await email_links.token_for(tx, CODE_KEY, EmailLink(guest_id, LinkPurpose.ANSWER, event.id))
        yield Invitation(ana, eve, f"/events/{event.slug}", token)


async def test_guest_without_a_name_is_listed_by_the_invited_address(site: Site) -> None:
    """Otherwise hosts cannot tell who said yes. Their ticket has the address, too."""
    async with invitation(site) as at:
        answered = await at.invited.post(f"/mail/answer/{at.token}", data={"reply": "going"})
        assert answered.status_code == 303
        for page in ("attendees", "check-in", "guest-list", "attendees.csv"):
            shown = (await at.host.get(f"{at.event_path}/{page}")).text
            assert "eve@example.org" in shown, page
            assert "Somebody without a name" not in shown, page
        assert "eve@example.org" in (await at.invited.get(f"/mail/ticket/{at.token}")).text


async def test_guest_without_a_name_can_give_one(site: Site) -> None:
    """A name that cannot be used is not lost. People who have a name are not asked."""
    async with invitation(site) as at:
        link = f"/mail/answer/{at.token}"
        assert 'name="display_name"' in (await at.invited.get(link)).text
        refused = await at.invited.post(link, data={"reply": "going", "display_name": "Eve" * 50})
        assert (refused.status_code, 'value="EveEve' in refused.text) == (400, True)
        await at.invited.post(link, data={"reply": "going", "display_name": " Eve "})
        assert 'name="display_name"' not in (await at.invited.get(link)).text
        await at.invited.post(link, data={"reply": "going", "display_name": "Mallory"})
        shown = (await at.host.get(f"{at.event_path}/check-in")).text
        assert "<strong>Eve</strong>" in shown
        assert "Mallory" not in shown
