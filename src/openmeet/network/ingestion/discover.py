"""Find accounts on a host that have records in our collections: by ``listReposByCollection`` if supported, otherwise
repository by repository.

Only relays and some servers support ``listReposByCollection``. On other hosts every active repository is listed
(``listRepos``) and its collections are requested (``describeRepo``). Every call counts against the host's budget; when
the budget is spent, the next call waits.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from urllib.parse import urlsplit

from at_network.pacing import DEFAULT_PAUSE_SECONDS
from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import Forbidden, InvalidInput, NotFound, NotSignedIn, Refused, RemoteFailed, TooMany
from groundwork.telemetry.logs import log
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.ingestion.server_budgets import SpendOnServer
from openmeet.network.repositories.clients import NetworkClients

HOST_PAGE = 1000
# Listing costs one call per thousand repositories, but describing costs one call each. Use a relay for larger hosts.
MAX_DESCRIBED = 200_000

_BY_COLLECTION = "com.atproto.sync.listReposByCollection"
_ALL = "com.atproto.sync.listRepos"
# Responses of servers that lack a method. This includes servers that proxy unknown methods and require an account for
# it.
_LACKS_METHOD = (Forbidden, InvalidInput, NotFound, NotSignedIn, Refused, RemoteFailed)


class SearchedHost:
    """A host to search, given by its origin. ``pause`` waits for a number of seconds; ``on_described`` is called for
    each described repository.
    """

    def __init__(
        self,
        network: NetworkClients,
        origin: str,
        spend_on_server: SpendOnServer,
        pause: Callable[[float], Awaitable[object]],
        on_described: Callable[[], object] = lambda: None,
    ) -> None:
        self._client = XrpcClient(network.http, network.clock, origin)
        self._name = urlsplit(origin).hostname or origin
        self._spend, self._pause, self._on_described = spend_on_server, pause, on_described

    async def authors(self, collections: Collection[Nsid]) -> AsyncIterator[Did]:
        """Yield accounts with records in any of these collections, each once. Raises the error of the last method
        tried.
        """
        seen: set[Did] = set()
        try:
            for collection in collections:
                async for did, _ in self._pages(_BY_COLLECTION, {"collection": collection}):
                    if did not in seen:
                        seen.add(did)
                        yield did
        except _LACKS_METHOD as lacking:
            log.info("host.collections_not_listed", host=self._name, reason=lacking.why)
        else:
            return
        described = 0
        async for did, entry in self._pages(_ALL, {}):
            if did in seen or entry.get("active") is False:
                continue
            described += 1
            if described > MAX_DESCRIBED:
                raise RemoteFailed(IngestionReason.TOO_MANY_ACCOUNTS, host=self._name, most=MAX_DESCRIBED)
            if await self._has_any(did, collections):
                seen.add(did)
                yield did

    async def _has_any(self, did: Did, collections: Collection[Nsid]) -> bool:
        self._on_described()
        try:
            described = await self._query("com.atproto.repo.describeRepo", {"repo": did})
        except (InvalidInput, NotFound, Refused, RemoteFailed) as failure:
            log.info("repository.not_described", did=did, reason=failure.why)
            return False
        collection_names = described.get("collections")
        return isinstance(collection_names, list) and any(one in collections for one in collection_names)

    async def _pages(self, method: str, query: Mapping[str, str]) -> AsyncIterator[tuple[Did, Mapping[str, object]]]:
        cursor: str | None = None
        while True:
            page = await self._query(method, {**query, "limit": HOST_PAGE, "cursor": cursor})
            repos = page.get("repos")
            if not isinstance(repos, list):
                raise RemoteFailed(IngestionReason.INVALID_ANSWER, host=self._name, method=method)
            for one in repos:
                entry = one if isinstance(one, dict) else {}
                try:
                    yield parse_did(str(entry.get("did"))), entry
                except Malformed as wrong:
                    log.warning("repository.rejected", host=self._name, reason=wrong.why)
            following = page.get("cursor")
            if not repos or not isinstance(following, str) or following == cursor:
                return
            cursor = following

    async def _query(self, method: str, parameters: Mapping[str, str | int | None]) -> Mapping[str, object]:
        while True:
            try:
                await self._spend(self._name)
                return await self._client.query(method, parameters)
            except TooMany as busy:
                await self._pause(busy.after_seconds or DEFAULT_PAUSE_SECONDS)
