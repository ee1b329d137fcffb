"""Service proxying of methods that are not in the table, on behalf of the caller.

This server handles the methods in the table itself, even if ``atproto-proxy`` names another service, because it is
authoritative for the repositories, sessions and identities of its accounts. There are two exceptions: a report goes to
the moderation service, if there is one, and what other kinds of services answer as well, such as a relay or a labeler, is
requested from the service that the caller names. The methods for push notifications name their service in the body.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from aurora_locus.federation.proxying import Proxying, require_allowed, require_may_leave
from aurora_locus.federation.services import (
    APP_VIEW,
    CREATE_REPORT,
    OF_NAMED_SERVICES,
    PUSH_METHODS,
    KnownService,
    ServiceRef,
    read_push_service,
)
from aurora_locus.federation.upstream import Request, UpstreamResponse, sent_headers
from aurora_locus.read_after_write.author import Pictures
from aurora_locus.read_after_write.completing import GZIP, ReadAfterWrite, with_decodable_encoding
from aurora_locus.read_after_write.views import VIEWS
from aurora_locus.xrpc.authentication import AccessLevel, PdsCaller
from aurora_locus.xrpc.gate import PASSED_ON, Allowance
from aurora_locus.xrpc.host import XrpcHost
from aurora_locus.xrpc.method import XrpcResponse, read_whole
from aurora_locus.xrpc.permissions import require_rpc, scope_at_services
from groundwork.errors import InvalidInput, NotSignedIn

HEADER = b"atproto-proxy"

_VERBS = frozenset({"GET", "HEAD", "POST"})


@dataclass(frozen=True, slots=True)
class ProxiedCalls:
    """Dependencies of calling another service on behalf of the caller."""

    host: XrpcHost
    proxying: Proxying
    completing: ReadAfterWrite

    @classmethod
    def of(cls, host: XrpcHost, proxying: Proxying) -> "ProxiedCalls":
        """Bind the proxying of a running server."""
        pictures = Pictures(host.settings.bsky_app_view_cdn_url_pattern, host.settings.url)
        return cls(host, proxying, ReadAfterWrite(host.repositories, proxying, pictures))

    def precedes(self, nsid: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the call is proxied even though this server has the method."""
        own_services, is_named = self.proxying.own, bool(headers.get(HEADER))
        if nsid in OF_NAMED_SERVICES:
            return is_named
        return nsid == CREATE_REPORT and (is_named or own_services.for_method(CREATE_REPORT) is not None)

    async def answer(
        self, text: str, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, allowance: Allowance
    ) -> XrpcResponse | None:
        """Return the other service's response; None if no service is configured or named.

        Raises NotSignedIn, Forbidden, InvalidInput and TooMany before the call, RemoteFailed and RemoteSlow after it.
        """
        try:
            nsid = parse_nsid(text)
        except Malformed:
            return None
        header = headers.get(HEADER) or None  # an empty header names no service, as in the reference server
        if header is not None:
            require_may_leave(nsid)
        target = self.proxying.target_of(nsid, None if header is None else header.decode("latin-1"))
        names_service_in_body = nsid in PUSH_METHODS and scope["method"] == "POST"
        if target is None and not names_service_in_body:
            return None
        require_may_leave(nsid)
        if scope["method"] not in _VERBS:
            raise InvalidInput("", "Methods are called with GET, HEAD or POST.")
        caller = await self.host.authenticate(AccessLevel.ACCESS, nsid, headers, scope)
        if caller is None or caller.did is None:
            raise NotSignedIn("This needs an account; sign in first.", name="AuthMissing")
        did, body = caller.did, None
        if target is None or names_service_in_body:
            body = await read_whole(receive)
            target = await self.host.computations.compute(did, len(body), read_push_service, body)
        await self._require_permission(caller, did, target, nsid)
        if self.host.gate is not None:
            await self.host.gate.spend(allowance, [(PASSED_ON, did)])
        service = await self.proxying.find(target)
        body = await read_whole(receive) if body is None else body
        if body and scope["method"] != "POST":
            raise InvalidInput("", "A query has no body.")
        query: bytes = scope["query_string"]
        path = f"/xrpc/{nsid}" + (f"?{query.decode('latin-1')}" if query else "")
        is_completed = nsid in VIEWS and service.fragment == APP_VIEW and scope["method"] == "GET"
        request = Request(scope["method"], path, sent_headers(headers), body if scope["method"] == "POST" else None)
        if is_completed:
            request = with_decodable_encoding(request)
        return await self._forward(
            service, nsid, did, request, receive, query.decode("latin-1") if is_completed else None
        )

    async def _require_permission(self, caller: PdsCaller, did: Did, target: ServiceRef, nsid: Nsid) -> None:
        require_rpc(caller, audience=target.name, method=nsid)
        require_allowed(nsid, scope_at_services(caller), (await self.host.repositories.head(did)).status)

    async def _forward(
        self,
        service: KnownService,
        nsid: Nsid,
        did: Did,
        request: Request,
        receive: Receive,
        completed_query: str | None,
    ) -> XrpcResponse:
        # If the client hangs up, its call is cancelled.
        disconnection = asyncio.ensure_future(_until_disconnected(receive))

        async def ask() -> UpstreamResponse:
            reply = await self.proxying.ask(service, nsid, did, request, is_client_gone=disconnection.done)
            if completed_query is None:
                return reply
            try:
                return await self.completing.complete(
                    service,
                    nsid,
                    did,
                    completed_query,
                    reply,
                    client_accepts_gzip=request.headers["accept-encoding"] == GZIP,
                    is_client_gone=disconnection.done,
                )
            except BaseException:
                await reply.body.aclose()
                raise

        call_task = asyncio.ensure_future(ask())
        try:
            await asyncio.wait({disconnection, call_task}, return_when=asyncio.FIRST_COMPLETED)
            reply = call_task.result() if call_task.done() else None
        except BaseException:
            disconnection.cancel()
            await _abandon(call_task)
            raise
        if reply is None:
            await _abandon(call_task)
            raise ClientDisconnect
        reply.body.on_close(disconnection.cancel)
        return XrpcResponse(reply.body, headers=reply.headers, status=reply.status)


async def _abandon(call: "asyncio.Future[UpstreamResponse]") -> None:
    """Cancel a call whose response nobody reads any more."""
    call.cancel()
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    if isinstance(outcome, UpstreamResponse):
        await outcome.body.aclose()


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
