"""Lexicon resolver: finds the authority's repository through DNS and fetches the schema record with its proof.

Source: Lexicon specification, "Lexicon Publication and Resolution". Only signed records are accepted: the record comes
with its proof (``com.atproto.sync.getRecord``), which is verified with the key from the authority's DID document.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from at_network.did_resolver import DidResolver
from at_network.lookup_cache import Lifetimes, LookupCache
from at_network.txt_records import Dns
from at_protocol.crypto.did_key import PublicKey
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.lexicon.document import Document, read_document
from at_protocol.lexicon.publication import COLLECTION, authority_from_txt, authority_name, read_publication
from at_protocol.repo.proof import RecordProof, verify_record_proof
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid, authority_domain
from at_protocol.xrpc.errors import read_error
from groundwork.clock import Clock
from groundwork.errors import InvalidInput, NotFound, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.threads import compute

TIMEOUT_SECONDS = 5.0
# Limits of a Lexicon. The largest known one has 20 KB and a thousand lists and maps.
MAX_LEXICON_BYTES = 128 * 1024
MAX_LEXICON_CONTAINERS = 8_192
# Size limit of a record together with the nodes that prove it.
MAX_PROOF_BYTES = 256 * 1024

# The specification allows a DNS answer to be cached for an hour. A cached document remains usable while the authority
# does not answer.
LIFETIMES = Lifetimes(fresh_seconds=3600, hard_seconds=90 * 86_400, absent_seconds=300, failed_seconds=60)

# Error names for an account that does not exist or that its server does not show.
_ABSENT_NAMES = frozenset(
    {"RecordNotFound", "RepoNotFound", "RepoTakendown", "RepoSuspended", "RepoDeactivated", "NotFound"}
)


@dataclass(frozen=True, slots=True)
class ResolvedLexicon:
    """A Lexicon as currently published. ``schema`` is the whole record in its JSON form.

    It is kept as text, because its values take up to twenty times as much memory.
    """

    did: Did
    cid: Cid
    nsid: Nsid
    schema: bytes

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{COLLECTION}/{self.nsid}"


@dataclass(frozen=True, slots=True)
class LexiconSettings:
    """Cache lifetimes, and the memory that cached Lexicons take."""

    lifetimes: Lifetimes = field(default_factory=lambda: LIFETIMES)
    max_bytes: int = 8 * 1024 * 1024


class LexiconResolver:
    """Resolves Lexicons. Open one per program; ``close`` it before the DID resolver and the HTTP client."""

    def __init__(
        self,
        http: HttpClient,
        dids: DidResolver,
        clock: Clock,
        settings: LexiconSettings | None = None,
        *,
        dns: Dns | None = None,
    ) -> None:
        settings = settings or LexiconSettings()
        self._http = http
        self._dids = dids
        self._dns = dns or Dns()
        self._cache: LookupCache[Nsid, ResolvedLexicon] = LookupCache(
            self._fetch,
            clock,
            host_of=authority_domain,
            lifetimes=settings.lifetimes,
            max_bytes=settings.max_bytes,
        )

    async def resolve(self, nsid: Nsid) -> ResolvedLexicon:
        """Return the published Lexicon, at most an hour old if the authority answers.

        Raises NotFound (``LexiconNotFound``), and RemoteFailed or RemoteSlow if it cannot be fetched.
        """
        return await self._cache.get(nsid)

    async def document(self, nsid: Nsid) -> Document:
        """Return only the document. Raises the same errors as ``resolve``."""
        schema = (await self.resolve(nsid)).schema
        return await compute(len(schema), read_document, schema)

    async def refresh(self, nsid: Nsid) -> ResolvedLexicon:
        """Do the same as ``resolve``, bypassing the cache within the limits for forced refreshes."""
        return await self._cache.refresh(nsid)

    async def close(self) -> None:
        await self._cache.close()

    async def _fetch(self, nsid: Nsid) -> ResolvedLexicon:
        did = await self._authority(nsid)
        try:
            document = await self._dids.resolve(did)
        except (NotFound, InvalidInput) as failure:
            raise _absent(nsid, str(failure.why)) from None
        proof = await self._proof(nsid, document)
        record_proof = await self._verified(nsid, document, proof)
        if record_proof.cid is None or record_proof.record is None:
            raise _absent(nsid, "its authority does not publish one")
        try:
            schema = await compute(len(record_proof.record), _schema, nsid, record_proof.record)
        except Malformed as failure:
            raise _absent(nsid, f"what is published is not a Lexicon: {failure.why}") from None
        return ResolvedLexicon(did, record_proof.cid, nsid, schema)

    async def _authority(self, nsid: Nsid) -> Did:
        name = authority_name(nsid)
        try:
            did = None if name is None else authority_from_txt(await self._dns.txt(name))
        except Malformed as failure:
            raise _absent(nsid, failure.why) from None
        if did is None:
            raise _absent(nsid, f"no TXT record of {name} names its authority")
        return did

    async def _proof(self, nsid: Nsid, document: DidDocument) -> bytes:
        if document.pds is None:
            raise _absent(nsid, f"{document.did} has no repository")
        query = urlencode({"did": document.did, "collection": COLLECTION, "rkey": nsid})
        response = await self._http.get(
            f"{document.pds}/xrpc/com.atproto.sync.getRecord?{query}",
            timeout_seconds=TIMEOUT_SECONDS,
            max_bytes=MAX_PROOF_BYTES,
        )
        if response.is_ok:
            return response.body
        error = read_error(response.status, response.body)
        if response.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.name in _ABSENT_NAMES:
            raise _absent(nsid, "its authority does not publish one")
        raise RemoteFailed(
            f"The repository of {document.did} answered with status {response.status}.", status=response.status
        )

    async def _verified(self, nsid: Nsid, document: DidDocument, proof: bytes) -> RecordProof:
        try:
            return await compute(len(proof), _verify, nsid, document, document.signing_key, proof)
        except Malformed as failure:
            fresh_document = await self._dids.refresh(document.did)
            if fresh_document.signing_key == document.signing_key:
                raise _unproven(nsid, failure) from None
            try:
                return await compute(len(proof), _verify, nsid, fresh_document, fresh_document.signing_key, proof)
            except Malformed as again:
                raise _unproven(nsid, again) from None


def _verify(nsid: Nsid, document: DidDocument, key: PublicKey | None, proof: bytes) -> RecordProof:
    if key is None:
        raise Malformed("proof", document.did, "the authority has no signing key")
    return verify_record_proof(proof, did=document.did, key=key, path=f"{COLLECTION}/{nsid}")


def _schema(nsid: Nsid, block: bytes) -> bytes:
    """Return the JSON of a record that must be the Lexicon of this name. Raises Malformed."""
    if len(block) > MAX_LEXICON_BYTES or cbor.has_more_containers(block, MAX_LEXICON_CONTAINERS):
        raise Malformed("lexicon", nsid, "it is too large")
    record = cbor.decode(block)
    read_publication(nsid, record)
    schema = json_form.encode(record)
    read_document(schema)  # escape sequences can make it longer than a document may be
    return schema


def _absent(nsid: Nsid, why: str) -> NotFound:
    return NotFound(f"The Lexicon {nsid} cannot be found: {why}.", name="LexiconNotFound")


def _unproven(nsid: Nsid, failure: Malformed) -> RemoteFailed:
    return RemoteFailed(f"The response of the authority of {nsid} does not prove its Lexicon: {failure.why}.")
