"""Calls that read, verify and write records of events, series, groups and RSVPs in a repository. All writes of publishing
are made here.

``client`` comes from ``repositories.agents.agent_for``: it sends a DPoP proof with each request, repeats requests
whose nonce was old, and stays below the server's rate limits. A write states the version it replaces (``replaced_cid``;
None: no record may exist), so that concurrent writers do not overwrite each other. Records are read first and only our
fields are changed (``records.event_writer``, ``records.rsvp``, ``records.series``), so that other apps' fields stay.
What is handed to ingestion, and what was sent without an answer, is read with proof.
Each function raises the errors of ``XrpcClient``, and Conflict if the repository has another version.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.repo.proof import RecordProof
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri, normal_uri, parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import Conflict, NotFound, Refused, RemoteFailed, Unavailable
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.records.collections import RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.rsvp import subject_of
from openmeet.network.repositories.read import message_of_proof, prove_record
from openmeet.outbox.reasons import PublicationReason

_APPLY = "com.atproto.repo.applyWrites"
_PAGE: Final = 100
# Maximum number of RSVPs of one person to search; larger repositories are read completely (``JobKind.BACKFILL``).
MAX_RSVPS_LISTED: Final = 2_000
# The same for repositories whose complete read keeps failing. A hundred pages are fetched within the lease of a
# publication.
MAX_RSVPS_LISTED_INSTEAD_OF_READ: Final = 10_000


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """The record that the PDS currently has under a key, with its CID and bytes."""

    record: dict[str, Value]
    cid: str
    body: bytes


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """The PDS's response to a write. ``rev`` is None if nothing changed and no commit was made."""

    cid: str
    rev: str | None


async def get_record(client: XrpcClient, uri: AtUri) -> CurrentRecord | None:
    """Return the record as the PDS has it, or None. Raises Refused if it cannot be written back without loss."""
    try:
        response = await client.query(
            "com.atproto.repo.getRecord",
            {"repo": uri.authority, "collection": str(uri.collection), "rkey": str(uri.rkey)},
        )
    except NotFound:
        return None
    try:
        record = json_form.from_json(response.get("value"))
    except Malformed as wrong:
        raise Refused(PublicationReason.RECORD_LOSSY) from wrong
    cid = response.get("cid")
    if not isinstance(record, dict) or not isinstance(cid, str):
        raise RemoteFailed(PublicationReason.RESPONSE_WITHOUT_RECORD)
    body = cbor.encode(record)
    if str(Cid.for_cbor(body)) != cid:
        # Writing it back would change it, so it must not be touched.
        raise Refused(PublicationReason.CID_MISMATCH)
    return CurrentRecord(record, cid, body)


async def put_record(
    client: XrpcClient, uri: AtUri, record: dict[str, Value], *, replaced_cid: str | None
) -> WriteReceipt:
    """Write a record that replaces the version with this CID (None: no record may exist).

    Raises Conflict (``InvalidSwap``) if the repository has another version.
    """
    response = await client.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": uri.authority,
            "collection": str(uri.collection),
            "rkey": str(uri.rkey),
            "record": json_form.to_json(record),
            "swapRecord": replaced_cid,
        },
    )
    return _receipt_of(response)


@dataclass(frozen=True, slots=True)
class AppliedCreates:
    """The PDS's response to several creates: ``cids`` in the order of the creates, ``rev`` of their common commit."""

    cids: tuple[str | None, ...]
    rev: str | None


async def apply_creates(
    client: XrpcClient, did: str, creates: Sequence[tuple[AtUri, dict[str, Value]]]
) -> AppliedCreates:
    """Create records in one commit, all or none. If one key is taken, all fail."""
    writes: list[dict[str, object]] = [
        {
            "$type": f"{_APPLY}#create",
            "collection": str(uri.collection),
            "rkey": str(uri.rkey),
            "value": json_form.to_json(record),
        }
        for uri, record in creates
    ]
    response = await client.procedure(_APPLY, {"repo": did, "writes": writes})
    results = response.get("results")
    listed = results if isinstance(results, list) and len(results) == len(writes) else []
    cids = [one.get("cid") if isinstance(one, dict) else None for one in listed] or [None] * len(creates)
    return AppliedCreates(tuple(cid if isinstance(cid, str) else None for cid in cids), _rev(response))


async def delete_record(client: XrpcClient, uri: AtUri, *, known_cid: str | None) -> str | None:
    """Delete a record in any version; return the rev of the commit, or None if there was nothing to delete.

    ``known_cid``: the CID that it most likely has. Each call specifies a CID, so that a delete that arrives late cannot
    remove a newer record.
    """
    if known_cid is None:
        current = await get_record(client, uri)
        if current is None:
            return None
        known_cid = current.cid
    try:
        return await delete_version(client, uri, known_cid)
    except Conflict:
        current = await get_record(client, uri)
        return None if current is None else await delete_version(client, uri, current.cid)


async def delete_version(client: XrpcClient, uri: AtUri, cid: str) -> str | None:
    """Delete a record only if it has this version; return the rev of the commit. Raises Conflict otherwise."""
    response = await client.procedure(
        "com.atproto.repo.deleteRecord",
        {"repo": uri.authority, "collection": str(uri.collection), "rkey": str(uri.rkey), "swapRecord": cid},
    )
    return _rev(response)


def _receipt_of(response: dict[str, object]) -> WriteReceipt:
    cid = response.get("cid")
    if not isinstance(cid, str):
        raise RemoteFailed(PublicationReason.NOT_CONFIRMED)
    return WriteReceipt(cid, _rev(response))


def _rev(response: dict[str, object]) -> str | None:
    commit = response.get("commit")
    rev = commit.get("rev") if isinstance(commit, dict) else None
    return rev if isinstance(rev, str) else None


@dataclass(frozen=True, slots=True)
class RemoteRsvp:
    """An RSVP in a repository. ``subject`` is the event that it refers to, or None."""

    uri: AtUri
    cid: str
    record: dict[str, Value]
    subject: AtUri | None


async def list_rsvps(client: XrpcClient, did: Did, *, max_rsvps: int | None = None) -> AsyncIterator[RemoteRsvp]:
    """Yield the RSVPs in a repository, in descending order of their keys. RSVPs that cannot be read completely are left
    out. Raises Unavailable if there are more than ``max_rsvps`` (``MAX_RSVPS_LISTED`` by default).
    """
    cursor: str | None = None
    for _ in range((max_rsvps or MAX_RSVPS_LISTED) // _PAGE):
        page = await client.query(
            "com.atproto.repo.listRecords", {"repo": did, "collection": str(RSVP), "limit": _PAGE, "cursor": cursor}
        )
        listed = page.get("records")
        if not isinstance(listed, list):
            raise RemoteFailed(PublicationReason.RESPONSE_WITHOUT_LIST)
        for entry in listed:
            rsvp = _rsvp_of(entry)
            if rsvp is not None:
                yield rsvp
        following = page.get("cursor")
        if not isinstance(following, str) or not listed:
            return
        cursor = following
    raise Unavailable(PublicationReason.ACCOUNTS_BEING_READ)


def _rsvp_of(entry: object) -> RemoteRsvp | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("uri"), str) or not isinstance(entry.get("cid"), str):
        return None
    try:
        record = json_form.from_json(entry.get("value"))
        uri = parse_at_uri(entry["uri"])
        subject_uri = subject_of(record)
        subject = None if subject_uri is None else normal_uri(parse_at_uri(subject_uri))
    except Malformed:
        return None
    return RemoteRsvp(uri, entry["cid"], record, subject) if isinstance(record, dict) else None


async def deletion_of(dependencies: PublishingDependencies, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """Return the deletion of a record as a message, with the ``rev`` of the deleting commit. Without a plausible rev,
    the deletion is verified first.

    None if somebody has created another record since.
    """
    is_plausible = rev is not None and is_plausible_rev(rev, dependencies.network.clock.now())
    if rev is not None and is_plausible and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), RecordOperation.DELETE, None, None, is_verified=True
        )
    message = await fetch_verified_message(dependencies, uri)
    return message if message.cid is None else None


async def fetch_verified_message(dependencies: PublishingDependencies, uri: AtUri) -> RecordMessage:
    """Return the verified record or its absence, as a message with the rev of the repository's newest commit."""
    return message_of_proof(uri, await fetch_proof(dependencies, uri))


async def fetch_proof(dependencies: PublishingDependencies, uri: AtUri) -> RecordProof:
    """Return the proof of what the repository has under a URI.

    Also raises RemoteFailed if the rev is in the future, because it would take precedence over every change until then.
    """
    proof = await prove_record(dependencies.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))
    if proof.commit.rev is not None and not is_plausible_rev(proof.commit.rev, dependencies.network.clock.now()):
        raise RemoteFailed(PublicationReason.CLOCK_AHEAD)
    return proof


def rev_of(proof: RecordProof) -> str:
    """Return the rev of the commit that a proof refers to. Raises RemoteFailed if it has none."""
    if proof.commit.rev is None:
        raise RemoteFailed(PublicationReason.NO_REV)
    return proof.commit.rev


def is_plausible_rev(text: str, now: Instant) -> bool:
    """Whether this is a plausible rev: a TID that is not in the future."""
    try:
        check_rev(text, now)
    except verify.MessageRejected:
        return False
    return True
