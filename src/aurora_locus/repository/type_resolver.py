"""Lexicons of unknown record types, resolved from their authorities on the first write.

A write waits for this once, briefly, and then proceeds; a type that was not found in time counts as unknown. A type is
known only together with everything that it refers to. Built-in Lexicons and those added by the operator are never
replaced.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import Document
from at_protocol.lexicon.publication import references_of
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import Failure

PATIENCE_SECONDS: Final = 1.0
# Limits the untrusted documents in memory: enough for the types of several hundred apps.
MAX_LEARNT: Final = 500
# A type that refers to more documents than this is not resolved.
_MAX_TOGETHER: Final = 30

Resolve = Callable[[Nsid], Awaitable[Document]]


class TypeResolver:
    """Resolves unknown record types into one catalog. ``resolve`` nearly always answers from its own cache, and raises
    subclasses of Failure.
    """

    def __init__(self, catalog: Catalog, resolve: Resolve, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._catalog = catalog
        self._resolve = resolve
        self._patience_seconds = patience_seconds
        self._learnt: dict[Nsid, Document] = {}

    async def resolve_and_add_all(self, collections: Iterable[Nsid]) -> None:
        """Do the same as ``resolve_and_add`` for all types of one request, in the time allowed for a single one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds):
                for collection in collections:
                    await self.resolve_and_add(collection)

    async def resolve_and_add(self, collection: Nsid) -> None:
        """Put the current Lexicon of this record type into the catalog, if it can be resolved quickly."""
        if self._is_given(collection):
            return
        try:
            async with asyncio.timeout(self._patience_seconds):
                documents = await self._with_references(collection)
        except (Failure, TimeoutError):
            return  # a write must not wait for a slow name server; a Lexicon that was resolved earlier stays valid
        if len(self._learnt) + sum(nsid not in self._learnt for nsid in documents) > MAX_LEARNT:
            return
        for nsid, document in documents.items():
            if self._learnt.get(nsid) != document:
                self._learnt[nsid] = document
                self._catalog.add(document)

    def _is_given(self, nsid: Nsid) -> bool:
        return nsid not in self._learnt and self._catalog.find(nsid) is not None

    async def _with_references(self, collection: Nsid) -> dict[Nsid, Document]:
        """Return a document and everything it refers to; nothing if that is too much. Raises Failure if one of them
        cannot be resolved.
        """
        documents: dict[Nsid, Document] = {}
        pending = [collection]
        while pending:
            nsid = pending.pop()
            if nsid in documents or self._is_given(nsid):
                continue
            if len(documents) == _MAX_TOGETHER:
                return {}
            document = documents[nsid] = await self._resolve(nsid)
            pending += references_of(document)
        return documents
