"""The reference PDS proxies a person's call (``atproto-proxy``): how it resolves this site's DID, the tokens that it
sends, and how it addresses them.
"""

from types import SimpleNamespace

from at_protocol.lexicon.authority import own_name
from at_protocol.syntax.did import parse_did
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import administration
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from tests.external_dependencies import needs
from tests.openmeet.groups.people import group_by
from tests.openmeet.remote_pds import remote
from tests.openmeet.site_under_test import details, person
from tests.openmeet.xrpc.network import opened

__all__ = ["remote"]

pytestmark = needs("reference")


async def test_members_see_their_groups_through_the_reference(remote):
    """Cleo is in the group and Bela is not. No call is anonymous, and an unknown method is reported as such."""
    cleo_there, bela_there = await remote.pds.sign_up("cleo"), await remote.pds.sign_up("bela")
    async with remote.db.transaction() as tx:
        cleo_id = await identities.connect(tx, parse_did(cleo_there["did"]), handle="cleo.test", pds_url=remote.pds.url)
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, name="Secret chess", visibility="private")
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, Caller(cleo_id, "Cleo"), link.id)
        event = await events.create(
            tx,
            ana,
            details(title="For members", starts="2099-07-04T18:00", ends="2099-07-04T20:00"),
            group=as_group_of_event(group),
        )
    around = SimpleNamespace(db=remote.db, network=remote.network, clock=remote.network.clock, pds_url=remote.pds.url)
    async with opened(around) as site:
        asked = {"group": f"{site.url}/groups/{group.slug}"}
        name = own_name("listGroupEvents")
        answer = await site.ask_through(cleo_there["accessJwt"], name, asked)
        assert answer.status_code == 200, answer.text
        assert [one["url"] for one in answer.json()["events"]] == [f"{site.url}/events/{event.slug}"]
        assert answer.json()["group"]["role"] == "member"
        other = await site.ask_through(bela_there["accessJwt"], name, asked)
        assert (other.status_code, other.json()["error"]) == (400, "GroupNotFound")
        # The same session again: each call has a new token.
        for _ in range(2):
            assert (await site.ask_through(cleo_there["accessJwt"], own_name("listEvents"), {})).status_code == 200
        refused = await site.ask_through(cleo_there["accessJwt"], own_name("listEvents"), {"limit": "0"})
        assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest")
        unknown = await site.ask_through(cleo_there["accessJwt"], own_name("listNothing"), {})
        assert (unknown.status_code, unknown.json()["error"]) == (501, "MethodNotImplemented")
