"""Record types that this server has no Lexicon of, learnt from their authorities when somebody writes one.

A write waits a moment for that, once, and is then taken as before: what cannot be found in time is unknown. A type counts
as known only with everything that it refers to. What is built in, or was added by the operator, is never replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import Document
from at_protocol.lexicon.publication import references_of
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import Failure

PATIENCE_SECONDS: Final = 1.0
# Strangers' documents in memory: some hundred apps of which people here use records.
MAX_LEARNT: Final = 500
# A type that needs more than this to be understood is not.
_MAX_TOGETHER: Final = 30

Resolve = Callable[[Nsid], Awaitable[Document]]


class Learning:
    """Fills one catalog. ``resolve`` answers from its own cache nearly always; it raises kinds of failure."""

    def __init__(self, catalog: Catalog, resolve: Resolve, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._catalog = catalog
        self._resolve = resolve
        self._patience_seconds = patience_seconds
        self._learnt: dict[Nsid, Document] = {}

    async def learn(self, collection: Nsid) -> None:
        """See to it that the catalog has the present Lexicon of this record type, if that can be had soon."""
        if self._is_given(collection):
            return
        try:
            async with asyncio.timeout(self._patience_seconds):
                found = await self._with_references(collection)
        except (Failure, TimeoutError):
            return  # nobody's write waits for somebody else's name server; what was learnt before still counts
        if len(self._learnt) + sum(nsid not in self._learnt for nsid in found) > MAX_LEARNT:
            return
        for nsid, document in found.items():
            if self._learnt.get(nsid) != document:
                self._learnt[nsid] = document
                self._catalog.add(document)

    def _is_given(self, nsid: Nsid) -> bool:
        return nsid not in self._learnt and self._catalog.find(nsid) is not None

    async def _with_references(self, collection: Nsid) -> dict[Nsid, Document]:
        """A document and all that it leads to. Raises Failure where one of them cannot be had."""
        found: dict[Nsid, Document] = {}
        wanted = [collection]
        while wanted:
            nsid = wanted.pop()
            if nsid in found or self._is_given(nsid):
                continue
            if len(found) == _MAX_TOGETHER:
                return {}
            document = found[nsid] = await self._resolve(nsid)
            wanted += references_of(document)
        return found
