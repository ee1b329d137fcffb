"""Read other people's repositories with proof: one record, or all of them. Nothing unverified is trusted, except the name
in their profile.
"""

import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from at_network.xrpc_client import XrpcClient
from at_protocol.crypto.did_key import PublicKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.repo.commit import verify_commit
from at_protocol.repo.proof import RecordProof, verify_record_proof
from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import Failure, NotFound, Refused, RemoteFailed
from groundwork.telemetry.logs import log
from groundwork.workers.quota import QuotaHolder
from openmeet.domain.identities.model import PROFILE
from openmeet.domain.media.pictures import MAX_UPLOAD_BYTES
from openmeet.domain.users.model import MAX_NAME
from openmeet.i18n.markdown import is_visible, one_line
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.places import cid_of_blob
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.export_reader import WholeRepository, limits_of, read_whole
from openmeet.network.repositories.reasons import RepositoryReason

# A record of 1 MB and the nodes on the path to it.
MAX_PROOF_BYTES = 3_000_000
# A repository with a hundred thousand records; larger ones likely belong to bots.
MAX_REPOSITORY_BYTES = 200_000_000
# All whole reads share one slot in the worker processes, because people's uploads come first. Their processor time is
# on behalf of an operator.
_WHOLE_READS = QuotaHolder("whole repositories", weight=1000)

DELETED = "deleted"
_INACTIVE = frozenset({"RepoTakendown", "RepoSuspended", "RepoDeactivated"})


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """What the account's own PDS says about it. ``rev`` is set only while it is active."""

    is_active: bool
    status: str
    rev: str | None


class BadRecordProof(RemoteFailed):
    """A server's proof of a record is invalid, or of a repository without revs."""


async def prove_record(network: NetworkClients, did: Did, collection: str, rkey: str) -> RecordProof:
    """Return the record, or proof of its absence, as of the repository's current commit.

    A wrong signature is checked again with a fresh DID document, because keys rotate. Raises NotFound (no such
    repository, or not served), BadRecordProof, RemoteFailed, RemoteSlow.
    """
    path = f"{collection}/{rkey}"
    document = await network.dids.resolve(did)
    client = XrpcClient(network.http, network.clock, _pds_of(document), circuits=network.circuits)
    try:
        response = await client.download(
            "com.atproto.sync.getRecord",
            {"did": did, "collection": collection, "rkey": rkey},
            max_bytes=MAX_PROOF_BYTES,
        )
    except Refused as refused:
        raise not_served(refused) from refused
    try:
        return verify_record_proof(response.body, did=did, key=_key_of(document), path=path)
    except Malformed:
        document = await network.dids.refresh(did)
    try:
        return verify_record_proof(response.body, did=did, key=_key_of(document), path=path)
    except Malformed as wrong:
        raise BadRecordProof(RepositoryReason.BAD_PROOF, did=did, path=path) from wrong


def message_of_proof(uri: AtUri, proof: RecordProof) -> RecordMessage:
    """Return the record of a proof, or its absence, as a message with the rev of the commit that the proof refers to.

    Raises BadRecordProof if the commit has no rev, because then the message cannot be ordered. ``uri`` names one record.
    """
    did = parse_did(uri.authority)
    if proof.commit.rev is None or uri.collection is None or uri.rkey is None:
        raise BadRecordProof(RepositoryReason.OLD_REPOSITORY, did=did)
    return RecordMessage(
        did=did,
        collection=uri.collection,
        rkey=uri.rkey,
        rev=proof.commit.rev,
        operation=RecordOperation.DELETE if proof.cid is None else RecordOperation.UPDATE,
        cid=None if proof.cid is None else str(proof.cid),
        body=proof.record,
        is_verified=True,
        is_read=True,
    )


async def download_repository(network: NetworkClients, did: Did, collections: Collection[Nsid]) -> WholeRepository:
    """Return the records of some collections from the whole repository, verified in a worker process.

    Raises NotFound (no repository, or not served now), RemoteFailed, RemoteSlow, ResponseTooLarge, JobStopped (reading it
    takes too many resources).
    """
    document = await network.dids.resolve(did)
    client = XrpcClient(
        network.http, network.clock, _pds_of(document), timeout_seconds=120.0, circuits=network.circuits
    )
    with tempfile.TemporaryDirectory(prefix="openmeet-repository-") as folder:
        path = Path(folder) / "repository.car"
        try:
            await _download(client, did, path)
            repository = await network.workers.run(
                partial(read_whole, path, tuple(collections)),
                holders=[_WHOLE_READS],
                limits=limits_of(path.stat().st_size),
            )
            await _verify(network, document, repository)
        except Malformed as wrong:
            raise RemoteFailed(RepositoryReason.BAD_REPOSITORY, did=did) from wrong
        except Refused as refused:
            raise not_served(refused) from refused
    if repository.commit.rev is None:
        raise RemoteFailed(RepositoryReason.OLD_REPOSITORY, did=did)
    return repository


async def _download(client: XrpcClient, did: Did, path: Path) -> None:
    with path.open("wb") as file:
        async with client.stream("com.atproto.sync.getRepo", {"did": did}, max_bytes=MAX_REPOSITORY_BYTES) as response:
            async for piece in response.pieces():
                file.write(piece)


async def _verify(network: NetworkClients, document: DidDocument, repository: WholeRepository) -> None:
    """Verify the commit's signature, if need be with a fresh DID document, because keys rotate. Raises Malformed."""
    try:
        verify_commit(repository.commit, did=document.did, key=_key_of(document))
    except Malformed:
        fresh = await network.dids.refresh(document.did)
        verify_commit(repository.commit, did=document.did, key=_key_of(fresh))


async def account_status(network: NetworkClients, did: Did, pds: str) -> AccountStatus:
    """Return the account's status according to the PDS in its DID document. An unknown repository counts as deleted.

    Raises RemoteFailed and RemoteSlow. A 404 without the protocol's error name comes from a proxy or a wrong host and
    says nothing about the account.
    """
    client = XrpcClient(network.http, network.clock, pds, circuits=network.circuits)
    try:
        response = await client.query("com.atproto.sync.getRepoStatus", {"did": did})
    except NotFound as absent:
        if absent.name != "RepoNotFound":
            raise RemoteFailed(RepositoryReason.NO_ACCOUNT_STATUS, did=did) from absent
        return AccountStatus(is_active=False, status=DELETED, rev=None)
    active, status, rev = response.get("active"), response.get("status"), response.get("rev")
    return AccountStatus(
        is_active=active is True,
        status="active" if active is True else status if isinstance(status, str) else "inactive",
        rev=rev if isinstance(rev, str) else None,
    )


async def profile_name(network: NetworkClients, did: Did, pds: str) -> str | None:
    """Return the display name in their profile (``app.bsky.actor.profile``); empty if there is none, None if the PDS
    does not respond.

    Not verified, because a display name proves nothing.
    """
    client = XrpcClient(network.http, network.clock, pds, circuits=network.circuits)
    profile = {"repo": did, "collection": PROFILE, "rkey": "self"}
    try:
        response = await client.query("com.atproto.repo.getRecord", profile)
    except NotFound:
        return ""
    except Failure as away:
        log.info("profile.not_read", did=did, reason=away.why)
        return None
    record = response.get("value")
    name = record.get("displayName") if isinstance(record, dict) else None
    plain = one_line(name.replace("\x00", "")) if isinstance(name, str) else ""
    return plain[:MAX_NAME].rstrip() if is_visible(plain) else ""


async def profile_picture(network: NetworkClients, did: Did) -> bytes:
    """Return the picture in their profile as their PDS sent it, without decoding it, in any format.

    The HTTP client reaches only public addresses (invariant 7), the size is limited, and the bytes match the CID.

    Raises Refused (``NoProfilePicture``), NotFound, RemoteFailed, RemoteSlow.
    """
    pds = _pds_of(await network.dids.resolve(did))
    client = XrpcClient(network.http, network.clock, pds, circuits=network.circuits)
    try:
        profile = await client.query("com.atproto.repo.getRecord", {"repo": did, "collection": PROFILE, "rkey": "self"})
    except NotFound:
        profile = {}
    record = profile.get("value")
    cid = cid_of_blob(record.get("avatar")) if isinstance(record, dict) else ""
    if not cid:
        raise Refused(RepositoryReason.NO_PROFILE_PICTURE, name="NoProfilePicture")
    blob = await client.download("com.atproto.sync.getBlob", {"did": did, "cid": cid}, max_bytes=MAX_UPLOAD_BYTES)
    if str(Cid.for_raw(blob.body)) != cid:
        raise RemoteFailed(RepositoryReason.OTHER_PICTURE, did=did)
    return blob.body


def not_served(refused: Refused) -> Failure:
    """The failure to raise instead: NotFound if the repository is not served because its account is inactive, which says
    nothing about its content; otherwise the same one.
    """
    return NotFound(refused.why, name=refused.name) if refused.name in _INACTIVE else refused


def _pds_of(document: DidDocument) -> str:
    if document.pds is None:
        raise NotFound(RepositoryReason.NO_PDS, did=document.did)
    return document.pds


def _key_of(document: DidDocument) -> PublicKey:
    key = document.signing_key
    if key is None:
        raise RemoteFailed(RepositoryReason.NO_SIGNING_KEY, did=document.did)
    return key
