"""did:plc directory client: submits operations and reads the state of an identity.

Source: did:plc specification, HTTP API. A submission whose response was lost may have been accepted: check the newest
operation of the log before sending it again.
"""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from at_network.did_resolver import MAX_DOCUMENT_BYTES, is_tombstone, message_of
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument, parse_did_document
from at_protocol.identity.plc_operation import AnyOperation, cid_of, parse_operation, to_json
from at_protocol.syntax.did import Did
from groundwork.errors import (
    Conflict,
    Failure,
    FailureReason,
    NotFound,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooMany,
    with_stored_reason,
)
from groundwork.http.client import HttpClient, HttpResponse

TIMEOUT_SECONDS = 10.0
# Enough for a log of some hundred operations of four kilobytes each.
MAX_LOG_BYTES = 4 * 1024 * 1024
MAX_SENTENCE = 300


class PlcClient:
    """Client for one directory, given by its URL."""

    def __init__(self, http: HttpClient, directory_url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.directory_url = directory_url.rstrip("/")
        self._http = http
        self._timeout_seconds = timeout_seconds

    async def submit(self, did: Did, operation: AnyOperation) -> None:
        """Submit a signed operation. Returns once the directory has it, even if the response was lost on the way.

        Raises Conflict (the head has moved: build the operation again on the newest one), Refused
        (``InvalidPlcOperation``), TooMany, and RemoteSlow or RemoteFailed if it is unknown whether the directory has
        the operation.
        """
        try:
            response = await self._http.post_json(
                f"{self.directory_url}/{did}", to_json(operation), timeout_seconds=self._timeout_seconds
            )
            self._expect_taken(response)
        except (RemoteSlow, RemoteFailed):
            if not await self._has_operation(did, cid_of(operation)):
                raise

    async def document(self, did: Did) -> DidDocument:
        """Return the DID document, uncached. Raises NotFound (``DidNotFound``, ``DidDeactivated``)."""
        value = await self._get(f"/{did}", MAX_DOCUMENT_BYTES)
        try:
            return parse_did_document(value, did)
        except Malformed as failure:
            raise self._unreadable(f"The directory's document of {did} cannot be used: {failure.why}.") from None

    async def current(self, did: Did) -> dict[str, object]:
        """Return the current identity as the directory holds it: ``did, verificationMethods, rotationKeys, alsoKnownAs,
        services``.
        """
        value = await self._get(f"/{did}/data", MAX_DOCUMENT_BYTES)
        if not isinstance(value, dict) or value.get("did") != did:
            raise self._unreadable(f"The directory's answer about {did} cannot be used.")
        return value

    async def last(self, did: Did) -> AnyOperation:
        """Return the newest operation of the current chain, which the next operation builds on."""
        return self._operation(await self._get(f"/{did}/log/last", MAX_DOCUMENT_BYTES))

    async def log(self, did: Did) -> list[AnyOperation]:
        """Return the current chain, oldest operation first."""
        value = await self._get(f"/{did}/log", MAX_LOG_BYTES)
        if not isinstance(value, list):
            raise self._unreadable(f"The directory's log of {did} is not a list.")
        return [self._operation(entry) for entry in value]

    async def audit_log(self, did: Did) -> list[Mapping[str, object]]:
        """Return every operation ever accepted, with ``cid``, ``createdAt`` and ``nullified``.
        ``at_protocol.identity.plc_log`` verifies it.
        """
        value = await self._get(f"/{did}/log/audit", MAX_LOG_BYTES)
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self._unreadable(f"The directory's audit log of {did} is not a list of entries.")
        return value

    async def _has_operation(self, did: Did, cid: Cid) -> bool:
        try:
            return cid_of(await self.last(did)) == cid
        except NotFound:
            return False

    async def _get(self, path: str, max_bytes: int) -> object:
        response = await self._http.get(
            self.directory_url + path, timeout_seconds=self._timeout_seconds, max_bytes=max_bytes
        )
        if is_tombstone(response):
            raise NotFound("This identity has been closed.", name="DidDeactivated")
        if response.status == HTTPStatus.NOT_FOUND:
            raise NotFound("The directory does not know this identity.", name="DidNotFound")
        return response.expect_ok().json()

    def _expect_taken(self, response: HttpResponse) -> None:
        if response.is_ok:
            return
        words = message_of(response)[:MAX_SENTENCE]
        sentence = f"The directory says: {words or 'it cannot accept the operation'}"
        match response.status:
            case HTTPStatus.CONFLICT:
                raise Conflict("Someone else changed the identity at the same time.", name="InvalidSwap")
            case HTTPStatus.TOO_MANY_REQUESTS:
                raise self._quoting(words, TooMany(sentence, after_seconds=3600))
            case status if 400 <= status < 500:
                raise self._quoting(words, Refused(sentence, name="InvalidPlcOperation"))
            case status:
                failed = RemoteFailed(f"The directory answered with status {status}.", status=status)
                reason = FailureReason.ANSWERED_WITH_STATUS(host=self._host, status=str(status))
                raise with_stored_reason(failed, reason)

    def _operation(self, value: object) -> AnyOperation:
        try:
            return parse_operation(value)
        except Malformed as failure:
            raise self._unreadable(f"The directory's operation cannot be read: {failure.why}.") from None

    def _quoting(self, words: str, failure: Failure) -> Failure:
        if words:
            failure.stored_reason = FailureReason.SERVER_SAID(host=self._host, words=words)
        return failure

    def _unreadable(self, sentence: str) -> RemoteFailed:
        return with_stored_reason(RemoteFailed(sentence), FailureReason.UNREADABLE_ANSWER(host=self._host))

    @property
    def _host(self) -> str:
        return urlsplit(self.directory_url).hostname or ""
