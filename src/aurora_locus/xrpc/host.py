"""Dependencies of the methods, assembled once by ``app``."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from at_network.identity_resolver import IdentityResolver
from at_network.lexicon_resolver import LexiconResolver
from at_protocol.lexicon.catalog import Catalog
from aurora_locus.accounts.registry import Registry
from aurora_locus.federation.crawl_requests import CrawlRequests
from aurora_locus.federation.proxying import Proxying
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.moderation.labels import Labels
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.type_resolver import TypeResolver
from aurora_locus.settings import PdsSettings
from aurora_locus.xrpc.authentication import Authenticate
from aurora_locus.xrpc.gate import Gate
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.threads import ClientComputations
from groundwork.workers.pool import WorkerPool


@dataclass(frozen=True, slots=True)
class XrpcHost:
    """Everything that methods need. Optional fields are None if the feature is off."""

    settings: PdsSettings
    registry: Registry
    labels: Labels
    db: Database
    clock: Clock
    catalog: Catalog
    repositories: Repositories
    authenticate: Authenticate
    network: IdentityResolver
    crawl_requests: CrawlRequests
    streams: StreamSlots
    # Checks uploaded repositories.
    workers: WorkerPool
    # Service proxying.
    proxying: Proxying | None = None
    # OAuth.
    authorization: AuthorizationServer | None = None
    # Rate limits.
    gate: Gate | None = None
    # Resolves Lexicons for ``resolveLexicon``.
    lexicons: LexiconResolver | None = None
    # Resolves unknown record types. If None, only built-in types are known.
    type_resolver: TypeResolver | None = None
    # Computations with large bodies and records.
    computations: ClientComputations = field(default_factory=ClientComputations)

    async def count_stream(self, headers: Iterable[tuple[bytes, bytes]], peer: str) -> None:
        """Count the opening of a stream. Raises RateLimited."""
        if self.gate is not None:
            await self.gate.open_stream(headers, peer)
