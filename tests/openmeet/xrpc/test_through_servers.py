"""A person's own server proxies their call (``atproto-proxy``): real tokens, a real DID document, real sockets."""

from at_protocol.lexicon.authority import own_name
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import administration
from tests.openmeet.deployment import deployment
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, person
from tests.openmeet.xrpc.network import opened

__all__ = ["deployment"]


async def test_members_see_their_groups_through_their_own_server(deployment):
    """Cleo is in the group and Bela is not; both call through the same server."""
    cleo, _ = await deployment.connected("cleo"), await deployment.connected("bela")
    async with deployment.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, name="Secret chess", visibility="private")
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
        event = await events.create(tx, ana, details(title="For members"), group=as_group_of_event(group))
    async with opened(deployment) as site:
        asked = {"group": f"{site.url}/groups/{group.slug}"}
        name = own_name("listGroupEvents")
        answer = await site.ask_through(await site.sign_in("cleo"), name, asked)
        assert answer.status_code == 200, answer.text
        assert [one["url"] for one in answer.json()["events"]] == [f"{site.url}/events/{event.slug}"]
        assert answer.json()["group"]["role"] == "member"
        other = await site.ask_through(await site.sign_in("bela"), name, asked)
        assert (other.status_code, other.json()["error"]) == (400, "GroupNotFound")
        # The same session again: each call has a new token.
        session = await site.sign_in("cleo")
        for _ in range(2):
            assert (await site.ask_through(session, own_name("listEvents"), {})).status_code == 200
        refused = await site.ask_through(session, own_name("listEvents"), {"limit": "0"})
        assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest")
