"""A site with a PDS and a Matrix server, and the paths of the pages that need them: one's own records, the repositories
that the site keeps for people, and signing in with an account of the network.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from groundwork.database.transaction import Transaction
from openmeet.domain.identities import recovery_key_queries
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.repositories.clients import app_of
from tests.browser.browsers import Deployment, deployment
from tests.openmeet.deployment import Deployment as Network
from tests.openmeet.deployment import deliver_all_publications
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import change_services, inputs_of

OWN = "/me/atproto"


@asynccontextmanager
async def site_of_network(network: Network, folder: Path) -> AsyncIterator[Deployment]:
    """A site in front of this network."""
    matrix = {"matrix_url": "https://matrix.example", "matrix_server_name": "matrix.example"}
    async with deployment(network.db, network.clock, folder, **matrix) as site:
        clients = replace(network.network, app=app_of(site.url, "OpenMeet"))
        change_services(site.app, network=clients, publishing=ConsentDependencies(clients, network.custodial_pds))
        yield site


async def add_network_examples(network: Network, site: Deployment) -> list[tuple[str | None, dict[str, str]]]:
    """Returns session tokens, each with the paths of its pages."""
    ana, ben, cleo = await network.person("Ana"), await network.person("Ben"), await network.connected("cleo")
    event = await network.event(ben, title="Tea in a park with an unusually long name, Donaudampfschifffahrt included")
    await deliver_all_publications(network)
    did = (await network.identity(ben.user_id)).did
    async with site.db.transaction() as tx:
        group = await group_by(tx, ana, name="Chess club", visibility="public")
        row = await tx.fetch_one("select record_uri from events where id = :id", id=event.id)
        assert row is not None
        tokens = {who.user_id: await _session(tx, who) for who in (ana, ben, cleo)}
        # As if Ben had taken his repository over.
        await recovery_key_queries.note_taken_over(tx, did)
    token = tokens[cleo.user_id]
    headers = {"origin": site.url, "cookie": f"openmeet_session={token}"}
    async with httpx.AsyncClient(base_url=site.url, headers=headers) as browser:
        records = await _own_records(browser, row["record_uri"])
    return [
        (token, records | {"matrix": "/settings/matrix", "what is shared": "/settings/publishing"}),
        (
            tokens[ana.user_id],
            {"repository of a group": f"/groups/{group.slug}/repository", "take over": "/settings/identity/take-over"},
        ),
        (tokens[ben.user_id], {"recovery key": "/settings/identity/recovery-key"}),
        (
            None,
            {
                "account of the network": "/sign-in/network",
                "password": "/sign-in/handle?handle=cleo.town.test",
                "refused account": "/sign-in/callback?state=x",
            },
        ),
    ]


async def _session(tx: Transaction, who: Caller) -> str:
    return (await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)).token


async def _own_records(browser: httpx.AsyncClient, event_uri: str) -> dict[str, str]:
    """Write a record of an event and one of an answer, and return the paths of their pages."""
    form = inputs_of((await browser.get(f"{OWN}/new")).text)
    typed = {"name": f"Tea {'w' * 90}", "description": "Bring a cup.", "starts": "2026-07-04T18:00", "ends": ""}
    for path, fields in (
        (f"{OWN}/new", {**form, **typed}),
        (f"{OWN}/answers/new", {"event": event_uri, "answer": "going"}),
    ):
        written = await browser.post(path, data=fields)
        assert written.status_code == 303, written.text
    shown = (await browser.get(OWN)).text
    (event,), (answer,) = (set(re.findall(rf'"({OWN}{below}/[a-z2-7]{{13}})"', shown)) for below in ("", "/answers"))
    return {
        "own records": OWN,
        "new record": f"{OWN}/new",
        "own record": event,
        "new answer": f"{OWN}/answers/new",
        "own answer": answer,
    }
