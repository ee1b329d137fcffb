"""Verify records, one or many, with proofs from their repository (``com.atproto.sync.getRecord``), within the budget of
its host.

A proof contains the nodes of the signed tree that lead to its record. These nodes also contain other entries. A record
that such a node contains, and whose content was listed, is verified without a request.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.commit import Commit
from at_protocol.repo.mst import MissingBlock, Tree
from at_protocol.repo.node import Node
from at_protocol.repo.proof import RecordProof
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Transaction
from groundwork.errors import Failure, InvalidInput
from groundwork.http.client import ResponseTooLarge
from groundwork.outbox.jobs import enqueue_again
from groundwork.telemetry.logs import log
from openmeet.network.ingestion.quarantine import RecordFailure
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.server_budgets import SpendOnServer, spend_on_pds
from openmeet.network.records.message import RecordMessage
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import BadRecordProof, message_of_proof, prove_record
from openmeet.outbox.kinds import JobKind

# Concurrent proof requests to one repository.
SIDE_BY_SIDE = 4
# Maximum size of the nodes kept while the records of one repository are verified: enough for a hundred thousand records.
MAX_NODE_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Proofs:
    """The verified records, in order of request; the records that could not be verified; and the failure that ended it
    early, if any.
    """

    messages: Sequence[RecordMessage]
    failed: Sequence[RecordFailure]
    ended_by: Failure | None


async def enqueue(tx: Transaction, uris: Sequence[str]) -> None:
    """Enqueue a proof of each of these records, because unsigned data about them differs from what is known. Data that
    arrive after a proof request another one.
    """
    await enqueue_again(tx, JobKind.PROVE_RECORD, uris)


async def fetch_verified(network: NetworkClients, uri: AtUri, spend_on_server: SpendOnServer) -> RecordMessage:
    """Return the record, or its absence, as of the repository's current commit.

    Raises TooMany if the budget of the server is spent, InvalidInput if this is not the URI of one record, and the errors
    of ``prove_record``.
    """
    return message_of_proof(uri, await _fetch_proof(network, uri, spend_on_server))


async def _fetch_proof(network: NetworkClients, uri: AtUri, spend_on_server: SpendOnServer) -> RecordProof:
    did = parse_did(uri.authority)
    if uri.collection is None or uri.rkey is None:
        raise InvalidInput("uri", IngestionReason.NOT_A_RECORD_URI)
    await spend_on_pds(network, spend_on_server, did)
    return await prove_record(network, did, uri.collection, uri.rkey)


class SignedTree:
    """The known part of one repository's tree, as of the newest commit among its proofs."""

    def __init__(self) -> None:
        self._commit: Commit | None = None
        self._nodes: dict[Cid, Node] = {}
        self._room = MAX_NODE_BYTES

    def add(self, proof: RecordProof) -> None:
        """Keep the nodes of a verified proof until the maximum size is reached."""
        if self._commit is None or (proof.commit.rev or "") >= (self._commit.rev or ""):
            self._commit = proof.commit
        for node in proof.nodes:
            if node.cid not in self._nodes and len(node.block) <= self._room:
                self._nodes[node.cid] = node
                self._room -= len(node.block)

    def prove(self, uri: AtUri, record: bytes | None) -> RecordProof | None:
        """Return the proof of this record or of its absence; None if the nodes do not suffice, or if
        ``record`` is not the one in the tree.
        """
        if self._commit is None:
            return None
        path = f"{uri.collection}/{uri.rkey}"
        try:
            cid = Tree(self._commit.data, lambda _: None, self._nodes).get(path)
        except (MissingBlock, Malformed):
            # An invalid tree will be reported by the request for this record.
            return None
        if cid is None:
            return RecordProof(self._commit, path, None, None)
        if record is None or not cid.names(record):
            return None
        return RecordProof(self._commit, path, cid, record)


async def fetch_verified_each(
    network: NetworkClients,
    uris: Sequence[str],
    spend_on_server: SpendOnServer,
    listed: Mapping[str, bytes] | None = None,
) -> Proofs:
    """Verify records of one repository. A failure of one record does not stop the others.

    ``listed``: encoded records by URI, from an unsigned listing.
    """
    slots = asyncio.Semaphore(SIDE_BY_SIDE)
    tree = SignedTree()
    ended_by: Failure | None = None

    async def verified(uri: str) -> RecordMessage | None:
        parsed = parse_at_uri(uri)
        proof = tree.prove(parsed, (listed or {}).get(uri))
        if proof is None:
            proof = await _fetch_proof(network, parsed, spend_on_server)
            tree.add(proof)
        return message_of_proof(parsed, proof)

    async def one(uri: str) -> RecordMessage | RecordFailure | None:
        nonlocal ended_by
        async with slots:
            if ended_by is not None:
                return None
            try:
                return await verified(uri)
            except (BadRecordProof, ResponseTooLarge) as bad:
                log.warning("record.not_proven", uri=uri, reason=bad.why)
                return RecordFailure(uri, "", bad)
            except Failure as failure:
                ended_by = failure
                return None

    distinct_uris = list(_apart(uris))
    proof_by_uri = dict(zip(distinct_uris, await asyncio.gather(*(one(uri) for uri in distinct_uris)), strict=True))
    return Proofs(
        [each for uri in uris if isinstance(each := proof_by_uri[uri], RecordMessage)],
        [each for uri in uris if isinstance(each := proof_by_uri[uri], RecordFailure)],
        ended_by,
    )


def _apart(uris: Sequence[str]) -> Iterator[str]:
    """Reorder the records so that those verified at the same time are far apart. Neighbours share a node, so one proof
    covers both.
    """
    stretch = -(-len(uris) // SIDE_BY_SIDE)
    for first in range(stretch):
        yield from uris[first::stretch]
