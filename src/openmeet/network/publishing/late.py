"""What arrives when its key was given up is taken away again (invariant 3).

A create that nobody answered may be acted on when its event has long been taken back. No wait is long enough to be sure, so the
row of the create outlives its publication (``debts.doubts``). Ingestion owes this debt when it hears of one that arrived; giving
the key up owes it too, and it is looked for until no request of ours can be running any more.
"""

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.errors import InvalidInput, NotFound, NotSignedIn, Unavailable
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.network.publishing import proving, settle
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.publishing.sending import delete_version
from openmeet.network.records.message import RecordMessage
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox import in_flight, publication_leases
from openmeet.outbox.in_flight import Doubts


def late_create_payer(publisher: Publisher) -> Payer:
    """The payer of ``Debt.LATE_CREATE``; the subject of the debt is the record's at-uri, its authority a DID."""

    async def pay(debt: Debt) -> None:
        try:
            uri = parse_at_uri(debt.subject)
        except Malformed as wrong:
            raise InvalidInput("uri", wrong.why) from wrong
        await look(publisher, uri)

    return pay


async def look(publisher: Publisher, uri: AtUri) -> None:
    """See what stands under a key that was given up; ours goes. Raises what the calls raise: then it is owed still."""
    async with publisher.db.reader() as reader:
        doubt = await in_flight.of_uri(reader, str(uri))
        owned = await publication_leases.find_by_uri(reader, str(uri))
        # Read with the doubt, which ends when its person lets go of the account: of whoever has that later nothing is deleted.
        identity = await identity_queries.find(reader, parse_did(uri.authority))
    if doubt is None or owned is not None:
        return  # a publication that holds the key knows what to do with whatever comes
    try:
        there = await proving.what_is_there(publisher, uri)
    except NotFound:
        there = None  # no repository, or one that is not served at present: nobody can read it there
    if there is not None and there.cid in doubt.cids:
        there = await _take_away(publisher, identity, uri, there.cid)
        log.warning("publication.late_create_taken_away", uri=str(uri))
    await _note(publisher, uri, doubt, there)


async def _take_away(publisher: Publisher, identity: Identity | None, uri: AtUri, cid: str) -> RecordMessage | None:
    """Delete exactly this version; that it is gone, as a message."""
    if identity is None or not identity.can_write:
        raise Unavailable("Its person has to sign in with the account it is in.")
    try:
        client = await agent_for(publisher.db, publisher.network, identity)
        rev = await delete_version(client, uri, cid)
    except NotSignedIn as refused:
        raise Unavailable("Its person has to sign in again.") from refused
    return await proving.absence(publisher, uri, rev)


async def _note(publisher: Publisher, uri: AtUri, doubt: Doubts, there: RecordMessage | None) -> None:
    """Forget the doubts where nothing of them can arrive any more, else look again later."""
    now = publisher.network.clock.now()
    async with publisher.db.transaction() as tx:
        if there is not None and there.cid is None:
            await settle.note_gone(tx, there)
        if now >= doubt.end_at:
            await in_flight.forget(tx, str(uri), before=Instant(doubt.last_sent_at))
        else:
            await in_flight.look_again(tx, str(uri), doubt)
