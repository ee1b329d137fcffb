"""The event that parked answers wait for, fetched once from its author's repository with proof."""

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import parse_handle
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.events import queries as event_queries
from openmeet.identities.network import Network
from openmeet.identities.reading import prove_record
from openmeet.ingestion import parking
from openmeet.ingestion.apply import apply
from openmeet.ingestion.events import Here
from openmeet.records import seen
from openmeet.records.message import Operation, RecordMessage


def subject_payer(db: Database, network: Network, here: Here) -> Payer:
    """The payer of ``Debt.FETCH_SUBJECT``; the subject of the debt is the event's at-uri."""

    async def pay(debt: Debt) -> None:
        try:
            uri = parse_at_uri(debt.subject)
        except Malformed as wrong:
            raise InvalidInput("uri", wrong.why) from wrong
        await fetch_subject(db, network, here, uri)

    return pay


async def fetch_subject(db: Database, network: Network, here: Here, subject: AtUri) -> bool:
    """Bring an event in; False when its author's repository has none under this key, or is not served.

    A handle in the uri is resolved first, and the answers wait under the DID from then on.
    """
    did = await _did_of(network, subject)
    durable = AtUri(did, subject.collection, subject.rkey)
    if durable != subject:
        async with db.transaction() as tx:
            await seen.lock_subjects(tx, [str(subject), str(durable)])
            event = await event_queries.by_record_uri(tx, str(durable))
            await parking.resolve(tx, sloppy=subject, durable=durable, event_id=None if event is None else event.id)
        if event is not None:
            return True
    if durable.collection is None or durable.rkey is None:
        raise InvalidInput("uri", "The subject is not the uri of one record.")
    try:
        proven = await prove_record(network, did, durable.collection, durable.rkey)
    except NotFound as absent:
        log.info("subject.not_served", uri=str(durable), reason=absent.why)
        return False
    if proven.cid is None or proven.record is None or proven.commit.rev is None:
        return False
    message = RecordMessage(
        did=did,
        collection=durable.collection,
        rkey=durable.rkey,
        rev=proven.commit.rev,
        operation=Operation.UPDATE,
        cid=str(proven.cid),
        body=proven.record,
        is_verified=True,
    )
    async with db.transaction() as tx:
        await apply(tx, here, [message])
    return True


async def _did_of(network: Network, subject: AtUri) -> Did:
    if subject.authority.startswith("did:"):
        return parse_did(subject.authority)
    return await network.handles.resolve(parse_handle(subject.authority))
