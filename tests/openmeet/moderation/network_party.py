"""An event from the network in the database, and who finds or sees it."""

from openmeet.domain.events import event_access, queries, record_changes
from openmeet.domain.identities import actions as identities
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK, PARTY_URI

PARTY_DID = PARTY_URI.split("/")[2]


async def found_and_visible(reader, event, viewer=None) -> tuple[bool, bool]:
    """Return whether a search finds the subject, and whether it has a page for this viewer."""
    found = await search.coming(reader, SearchQuery(viewer=viewer and viewer.user_id), None, 50)
    now = await queries.by_id(reader, event.id)
    sees = await event_access.may_see(reader, now, viewer and viewer.user_id, has_rsvp_access=False)
    several = await event_access.seen(reader, [now], viewer and viewer.user_id, set())
    assert bool(several) is sees
    return event.id in {one.id for one in found}, sees


async def insert_network_event(tx):
    author = await identities.person_for_did(tx, PARTY_DID)
    await tx.execute("update identities set pds_url = 'https://pds.example' where did = :did", did=PARTY_DID)
    event_id = await record_changes.apply_from_network(
        tx, uri=PARTY_URI, cid="bafyreia", author_id=author, event=PARTY_FROM_NETWORK
    )
    return await queries.by_id(tx, event_id), author
