"""Prove records by their repository (``com.atproto.sync.getRecord``), one or many, within the budget of its host."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.errors import Failure, InvalidInput
from groundwork.http.client import AnswerTooLarge
from groundwork.telemetry.logs import log
from openmeet.network.ingestion.dead_letters import Failed
from openmeet.network.ingestion.host_budgets import SpendOnHost, spend_on_home
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import BadRecordProof, prove_record

# Concurrent proofs of one repository.
SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Proofs:
    """What was proven, in order of request; records that cannot be proven; and the failure that ended it early."""

    messages: Sequence[RecordMessage]
    failed: Sequence[Failed]
    ended_by: Failure | None


async def prove(network: NetworkClients, uri: AtUri, spend_on_host: SpendOnHost) -> RecordMessage | None:
    """The record, or its absence, as of the repository's present commit; None if the proof lacks the record.

    Raises TooMany if the budget of the host is spent, InvalidInput if this is not the URI of one record, and what
    ``prove_record`` raises.
    """
    did = parse_did(uri.authority)
    if uri.collection is None or uri.rkey is None:
        raise InvalidInput("uri", IngestionReason.NOT_A_RECORD_URI)
    await spend_on_home(network, spend_on_host, did)
    return message_of(uri, await prove_record(network, did, uri.collection, uri.rkey))


async def prove_each(network: NetworkClients, uris: Sequence[str], spend_on_host: SpendOnHost) -> Proofs:
    """Prove records of one repository; a failure of one record does not stop the others."""
    slots = asyncio.Semaphore(SIDE_BY_SIDE)
    ended_by: Failure | None = None

    async def one(uri: str) -> RecordMessage | Failed | None:
        nonlocal ended_by
        async with slots:
            if ended_by is not None:
                return None
            try:
                message = await prove(network, parse_at_uri(uri), spend_on_host)
            except (BadRecordProof, AnswerTooLarge) as bad:
                log.warning("record.not_proven", uri=uri, reason=bad.why)
                return Failed(uri, "", bad)
            except Failure as failure:
                ended_by = failure
                return None
            return message or Failed(uri, "", BadRecordProof(IngestionReason.PROOF_WITHOUT_RECORD))

    found = await asyncio.gather(*(one(uri) for uri in uris))
    return Proofs(
        [each for each in found if isinstance(each, RecordMessage)],
        [each for each in found if isinstance(each, Failed)],
        ended_by,
    )


def message_of(uri: AtUri, proven: RecordProof) -> RecordMessage | None:
    """The result of a proof, as a message of its commit; None if it lacks the record."""
    is_cut = proven.cid is not None and proven.record is None
    if is_cut or proven.commit.rev is None or uri.collection is None or uri.rkey is None:
        return None
    return RecordMessage(
        did=parse_did(uri.authority),
        collection=uri.collection,
        rkey=uri.rkey,
        rev=proven.commit.rev,
        operation=RecordOperation.DELETE if proven.cid is None else RecordOperation.UPDATE,
        cid=None if proven.cid is None else str(proven.cid),
        body=proven.record,
        is_verified=True,
        is_read=True,
    )
