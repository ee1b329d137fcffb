"""Complete an app view's response: check whether it is behind, add the missing records, and report the lag."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import Tid, parse_tid
from at_protocol.xrpc.errors import read_error
from aurora_locus.accounts import queries as accounts
from aurora_locus.federation.proxying import Proxying
from aurora_locus.federation.services import KnownService
from aurora_locus.federation.upstream import OF_THE_BODY, Request, UpstreamResponse, read_whole, whole_body
from aurora_locus.read_after_write import recent as recently
from aurora_locus.read_after_write.author import Pictures, ViewingAccount
from aurora_locus.read_after_write.recent import RecentWrites
from aurora_locus.read_after_write.views import GET_POST_THREAD, VIEWS, missing_thread
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import SECOND
from groundwork.errors import Failure
from groundwork.http.compression import MIN_BYTES, accepts_gzip, compress_gzip
from groundwork.telemetry.logs import log

REV: Final = "atproto-repo-rev"
GZIP: Final = "gzip"
LAG: Final = "atproto-upstream-lag"

_MILLISECOND: Final = SECOND // 1000
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class ReadAfterWrite:
    """Completes responses for the accounts of one server."""

    repositories: Repositories
    proxying: Proxying
    pictures: Pictures

    async def complete(
        self,
        service: KnownService,
        nsid: Nsid,
        did: Did,
        query: str,
        reply: UpstreamResponse,
        *,
        client_accepts_gzip: bool,
        is_client_gone: Callable[[], bool],
    ) -> UpstreamResponse:
        """Add the caller's newest records to a response. It is returned unchanged if the app view is up to date or it
        cannot be completed.

        Raises RemoteFailed and RemoteSlow if the body breaks off.
        """
        rev = await self._rev_behind(did, reply)
        if rev is None:
            return reply
        recent = await recently.since(self.repositories.db, did, rev)
        if recent.oldest is None:
            return reply
        body = await read_whole(reply)
        parameters = dict(parse_qsl(query))
        try:
            author = await self._author(service, did, is_client_gone)
            completed = await _completed(author, nsid, parameters, reply, body, recent)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, msgspec.DecodeError) as odd:
            # The response does not match its Lexicon, so it is passed on as received.
            log.warning("view.not_completed", nsid=nsid, service=service.name, why=type(odd).__name__)
            completed = None
        remaining_headers = {name: value for name, value in reply.headers.items() if name not in OF_THE_BODY}
        if completed is None:
            remaining_headers["content-type"] = reply.headers.get("content-type", "application/json")
            return UpstreamResponse(
                reply.status, {**remaining_headers, "content-length": str(len(body))}, whole_body(body)
            )
        encoded = _ENCODER.encode(completed)
        if client_accepts_gzip and len(encoded) >= MIN_BYTES:
            encoded = await compress_gzip(encoded)
            remaining_headers["content-encoding"] = GZIP
        lag = max(0, self.repositories.clock.now() - recent.oldest) // _MILLISECOND
        headers = {"content-type": "application/json", "content-length": str(len(encoded)), LAG: str(lag)}
        return UpstreamResponse(HTTPStatus.OK, {**remaining_headers, **headers}, whole_body(encoded))

    async def _rev_behind(self, did: Did, reply: UpstreamResponse) -> Tid | None:
        """Return the rev up to which the app view has indexed this repository; None if it is unknown or the current
        one.
        """
        if reply.status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
            return None
        try:
            rev = parse_tid(reply.headers.get(REV, ""))
        except Malformed:
            return None
        return rev if rev < (await self.repositories.head(did)).rev else None

    async def _author(self, service: KnownService, did: Did, is_client_gone: Callable[[], bool]) -> ViewingAccount:
        async def ask(nsid: Nsid, parameters: Mapping[str, str]) -> dict[str, Any] | None:
            request = Request("GET", f"/xrpc/{nsid}?{urlencode(parameters)}", {"accept-encoding": "gzip"})
            try:
                response = await self.proxying.ask(service, nsid, did, request, is_client_gone=is_client_gone)
                async with aclosing(response.body):
                    body = await read_whole(response) if response.status == HTTPStatus.OK else b"null"
                value = msgspec.json.decode(body)
            except (Failure, msgspec.DecodeError):
                return None  # an embedded record is then shown as absent
            return value if isinstance(value, dict) else None

        async with self.repositories.db.reader() as reader:
            account = await accounts.find(reader, did)
        if account is None:
            raise LookupError(did)
        profile = await recently.present_profile(self.repositories.db, did)
        return ViewingAccount(did, account.handle, profile, self.pictures, ask)


async def _completed(
    author: ViewingAccount,
    nsid: Nsid,
    parameters: Mapping[str, str],
    reply: UpstreamResponse,
    body: bytes,
    recent: RecentWrites,
) -> dict[str, Any] | None:
    if reply.status != HTTPStatus.OK:
        is_missing = nsid == GET_POST_THREAD and read_error(reply.status, body).name == "NotFound"
        return await missing_thread(author, parameters, recent) if is_missing else None
    response = msgspec.json.decode(body)
    if not isinstance(response, dict):
        return None
    completed = await VIEWS[nsid](author, parameters, response, recent)
    return None if completed == response else completed


def with_decodable_encoding(request: Request) -> Request:
    """Return the request to send upstream, with an encoding that this server can decode."""
    encoding = GZIP if accepts_gzip(request.headers["accept-encoding"].encode("latin-1")) else "identity"
    return replace(request, headers={**request.headers, "accept-encoding": encoding})
