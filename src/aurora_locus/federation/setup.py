"""Set-up of service proxying from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from at_protocol.syntax.did import Did
from aurora_locus.federation.proxying import Proxying, origin_of
from aurora_locus.federation.services import APP_VIEW, LABELER, KnownService, OwnServices, Resolve
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.settings import PdsSettings
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT

# All users of this server share the connections to one app view.
_CONNECTIONS = 400
_PER_HOST = 200


def own_services(settings: PdsSettings) -> OwnServices:
    """Return the services that the operator configured."""
    return OwnServices(
        app_view=_service(settings.bsky_app_view_did, APP_VIEW, settings.bsky_app_view_url),
        moderation=_service(settings.mod_service_did, LABELER, settings.mod_service_url),
        reports=_service(settings.report_service_did, LABELER, settings.report_service_url),
    )


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
            own=own_services(settings),
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


def _service(did: str, fragment: str, url: str) -> KnownService | None:
    return KnownService(Did(did), fragment, url.rstrip("/"), is_own=True) if did and url else None
