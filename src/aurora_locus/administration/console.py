"""Dependencies of the operators' pages, assembled once by ``app``."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from aurora_locus.accounts.registry import Registry
from aurora_locus.administration.queries import CachedBlobTotals
from aurora_locus.federation.crawl_requests import CrawlRequests
from aurora_locus.moderation.labels import Labels
from aurora_locus.settings import PdsSettings
from groundwork.clock import Instant


@dataclass(frozen=True, slots=True)
class AdminConsole:
    """Dependencies of the operators' pages. ``federation_status`` reports subscribers and relays with their lag;
    ``started_at`` is when this process started.
    """

    settings: PdsSettings
    registry: Registry
    labels: Labels
    crawl_requests: CrawlRequests
    federation_status: Callable[[], Awaitable[dict[str, Any]]]
    blobs: CachedBlobTotals
    version: str
    started_at: Instant


def console_of(connection: HTTPConnection) -> AdminConsole:
    """Return the dependencies of the server that serves this request."""
    console: AdminConsole = connection.app.state.console
    return console
