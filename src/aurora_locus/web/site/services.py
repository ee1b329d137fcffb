"""Services of the running server that pages work with, and the only function that reads them from a request."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from at_network.handle_resolver import HandleResolver
from aurora_locus.account_migration.actions import MigrationContext
from aurora_locus.accounts.registry import Registry
from aurora_locus.administration.queries import CachedBlobTotals
from aurora_locus.federation.crawl_requests import CrawlRequests
from aurora_locus.federation.status import FederationSources
from aurora_locus.moderation.labels import Labels
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.settings import PdsSettings
from aurora_locus.web.site.templating import Site
from groundwork.clock import Instant


@dataclass(frozen=True, slots=True)
class PdsServices:
    """The services of one server, assembled once by ``app``. ``started_at`` is when this process started."""

    settings: PdsSettings
    version: str
    started_at: Instant
    site: Site
    registry: Registry
    authorization: AuthorizationServer
    handles: HandleResolver
    migration: MigrationContext
    labels: Labels
    crawl_requests: CrawlRequests
    federation: FederationSources
    blob_totals: CachedBlobTotals


def services(connection: HTTPConnection) -> PdsServices:
    """The services of the server. No other function reads the application state; a test checks this."""
    pds_services: PdsServices = connection.app.state.services
    return pds_services
