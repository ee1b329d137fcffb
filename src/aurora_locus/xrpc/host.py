"""The running server as its methods see it; assembled once, by ``app``."""

from dataclasses import dataclass

from at_protocol.lexicon.catalog import Catalog
from aurora_locus.federation.crawl_requests import CrawlRequests
from aurora_locus.identity.network import Network
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import Settings
from aurora_locus.xrpc.authentication import Authenticate
from groundwork.clock import Clock
from groundwork.database.transaction import Database


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that methods need."""

    settings: Settings
    db: Database
    clock: Clock
    catalog: Catalog
    repositories: Repositories
    authenticate: Authenticate
    network: Network
    crawling: CrawlRequests
