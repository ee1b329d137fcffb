"""Service proxying: calls to other services on behalf of an account.

Order: the method may be proxied → the session may use it → the service is found and is not this server → the account
has a free slot → a token is signed with the account's own key, for this method and one minute → the call.
"""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode, urlsplit

from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import make_service_token
from aurora_locus.accounts.model import SessionScope
from aurora_locus.accounts.service_tokens import PRIVILEGED_SCOPES, PROTECTED, is_privileged
from aurora_locus.federation import upstream
from aurora_locus.federation.services import (
    APP_VIEW,
    CREATE_REPORT,
    LABELER,
    KnownService,
    OwnServices,
    Resolve,
    ServiceRef,
    audience_of,
    find_service,
    read_proxy_header,
)
from aurora_locus.federation.upstream import Request, UpstreamResponse
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.model import HostingStatus
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND, Clock
from groundwork.errors import InvalidInput, NotSignedIn, TooMany
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT

# All users of this server share the connections to one app view.
_CONNECTIONS = 400
_PER_HOST = 200

# A page of an app makes a dozen requests at once; a person does not need more than this.
MAX_AT_ONCE: Final = 40


@dataclass(frozen=True, slots=True)
class Proxying:
    """Calls other services for one server. ``http`` is for addresses chosen by callers, ``own_http`` for those of the
    operator; both stream bodies without decoding them. ``own_names`` are this server's DID and address.
    """

    own: OwnServices
    resolve: Resolve
    http: HttpClient
    own_http: HttpClient
    keys: SigningKeys
    clock: Clock
    own_names: Collection[str]
    full_audiences: Collection[str]
    under_way: Counter[Did] = field(default_factory=Counter)

    def target_of(self, nsid: Nsid, header: str | None) -> ServiceRef | None:
        """Return the requested service: the service named in the header, otherwise the operator's service for the
        method, otherwise None.

        Raises InvalidInput for an invalid header. Nothing is resolved yet, because the caller must be authenticated
        first.
        """
        if header is None:
            service = self.own.for_method(nsid)
            return None if service is None else ServiceRef(service.did, service.fragment)
        target = read_proxy_header(header)
        # A method that this server does not implement cannot be proxied to this server either.
        return None if target.did in self.own_names else target

    async def find(self, target: ServiceRef) -> KnownService:
        """Resolve the service's endpoint. Raises InvalidInput if there is none or it is this server, RemoteFailed and
        RemoteSlow.
        """
        service = await find_service(self.resolve, self.own, target)
        if not service.is_own and origin_of(service.url) in self.own_names:
            raise InvalidInput("atproto-proxy", f"{service.name} leads back to this server.")
        return service

    async def ask(
        self,
        service: KnownService,
        nsid: Nsid,
        did: Did | None,
        request: Request,
        *,
        is_client_gone: Callable[[], bool] = lambda: False,
    ) -> UpstreamResponse:
        """Call the service as this account, or anonymously. Raises TooMany, and what ``upstream.ask`` raises."""
        http = self.own_http if service.is_own else self.http
        if did is None:
            return await upstream.ask(http, service.url, request, is_client_gone=is_client_gone)
        if self.under_way[did] >= MAX_AT_ONCE:
            why = f"At most {MAX_AT_ONCE} calls of one account are proxied at a time. Try again in a moment."
            raise TooMany(why, after_seconds=1)
        self.under_way[did] += 1
        try:
            headers = {**request.headers, "authorization": f"Bearer {await self.token(service, nsid, did)}"}
            reply = await upstream.ask(
                http, service.url, replace(request, headers=headers), is_client_gone=is_client_gone
            )
        except BaseException:
            self._ended(did)
            raise
        reply.body.on_close(lambda: self._ended(did))
        return reply

    async def ask_app_view(self, nsid: Nsid, parameters: Mapping[str, str]) -> UpstreamResponse | None:
        """Call the operator's app view for public data. Returns None if no app view is configured. Raises what ``ask``
        raises.
        """
        if self.own.app_view is None:
            return None
        request = Request("GET", f"/xrpc/{nsid}?{urlencode(parameters)}", {"accept-encoding": "identity"})
        return await self.ask(self.own.app_view, nsid, None, request)

    async def token(self, service: KnownService, nsid: Nsid, did: Did) -> str:
        """Make a service token. With it the account allows this server to call this method of this service for one
        minute.
        """
        return make_service_token(
            await self.keys.signing_key(did),
            issuer=did,
            audience=audience_of(service, self.full_audiences),
            method=nsid,
            now_seconds=self.clock.now() // SECOND,
            token_id=secrets.token_hex(16),
        )

    def _ended(self, did: Did) -> None:
        self.under_way[did] -= 1
        if not self.under_way[did]:
            del self.under_way[did]


def require_may_leave(nsid: Nsid) -> None:
    """Raise NotSignedIn (``InvalidToken``, 400) for methods that are never proxied.

    The comparison ignores case, because some services ignore it too.
    """
    if nsid.lower() in PROTECTED:
        raise NotSignedIn(f"Bad token method: {nsid} is never proxied to another service.", name="InvalidToken")


def require_allowed(nsid: Nsid, scope: SessionScope | None, status: HostingStatus) -> None:
    """Raise NotSignedIn unless a session of this scope may have the call proxied."""
    if scope is None:
        raise NotSignedIn("Call this with a session of the account.", name="AuthMissing")
    if is_privileged(nsid) and scope not in PRIVILEGED_SCOPES:
        # Deployed apps recognize the first three words, to detect that an app password is not enough.
        raise NotSignedIn(f"Bad token method: this app password may not call {nsid}.", name="InvalidToken")
    # The owner of a taken-down account may appeal.
    if status is HostingStatus.DEACTIVATED or (status is not HostingStatus.ACTIVE and nsid != CREATE_REPORT):
        name = "AccountDeactivated" if status is HostingStatus.DEACTIVATED else "AccountTakedown"
        raise NotSignedIn("Calls of an inactive account are not proxied.", name=name)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL in a canonical form that can be compared."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


@asynccontextmanager
async def open_proxying(
    settings: PdsSettings, resolve: Resolve, keys: SigningKeys, clock: Clock, *, user_agent: str
) -> AsyncIterator[Proxying]:
    """Open service proxying for the duration of the block."""

    def client(*, is_own: bool) -> HttpClient:
        return HttpClient(
            # The operator's services, like a database, may be in a private network.
            DEVELOPMENT if is_own else settings.reach,
            user_agent=user_agent,
            connections=_CONNECTIONS,
            connections_per_host=_PER_HOST,
            decompress=False,
        )

    http, own_http = client(is_own=False), client(is_own=True)
    try:
        yield Proxying(
            own=_own_services(settings),
            resolve=resolve,
            http=http,
            own_http=own_http,
            keys=keys,
            clock=clock,
            own_names=frozenset({settings.did, origin_of(settings.url)}),
            full_audiences=frozenset(settings.proxy_full_audiences),
        )
    finally:
        await http.close()
        await own_http.close()


def _own_services(settings: PdsSettings) -> OwnServices:
    """Return the services that the operator configured."""
    return OwnServices(
        app_view=_service(settings.bsky_app_view_did, APP_VIEW, settings.bsky_app_view_url),
        moderation=_service(settings.mod_service_did, LABELER, settings.mod_service_url),
        reports=_service(settings.report_service_did, LABELER, settings.report_service_url),
    )


def _service(did: str, fragment: str, url: str) -> KnownService | None:
    return KnownService(Did(did), fragment, url.rstrip("/"), is_own=True) if did and url else None
