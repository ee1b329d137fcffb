"""Lexicons of unknown record types, resolved from their authorities on the first write.

A write waits for this once, briefly, and then proceeds; a type that was not found in time counts as unknown. A type is
known only together with everything that it refers to. Built-in Lexicons and those added by the operator are never
replaced.

Each type has a catalog of its own, so that the documents of one author are used for nothing but the records of that type.
Anybody with an account decides which types are resolved. Therefore the types that were used least recently are dropped,
first those of the same author.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from at_network.lexicon_resolver import ResolvedLexicon
from at_protocol.data.cid import Cid
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import Document, read_document
from at_protocol.lexicon.publication import references_of
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import Failure
from groundwork.threads import compute

PATIENCE_SECONDS: Final = 1.0
# A type that refers to more documents than this, or to larger ones, is not resolved.
_MAX_TOGETHER: Final = 30
_MAX_TEXT_BYTES: Final = 128 * 1024
# Decoded and compiled, a document takes up to 22 times the memory of its text.
_MEMORY_PER_BYTE: Final = 25
_TYPE_BYTES: Final = 5_000
# Enough for the types of several hundred apps; an ordinary type takes 100 KB.
MAX_BYTES: Final = 32 * 1024 * 1024
AUTHOR_BYTES: Final = 4 * 1024 * 1024

Resolve = Callable[[Nsid], Awaitable[ResolvedLexicon]]


@dataclass(frozen=True, slots=True)
class _LearnedType:
    """A record type with the versions of its documents. ``size`` is the memory that it takes, in bytes."""

    cids: Mapping[Nsid, Cid]
    catalog: Catalog
    size: int


class TypeResolver:
    """Resolves unknown record types. ``resolve`` nearly always answers from its own cache, and raises subclasses of
    Failure.
    """

    def __init__(self, given: Catalog, resolve: Resolve, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._given = given
        self._resolve = resolve
        self._patience_seconds = patience_seconds
        # The type that was used least recently is first.
        self._types: OrderedDict[Nsid, _LearnedType] = OrderedDict()

    async def catalogs_for(self, collections: Iterable[Nsid]) -> dict[Nsid, Catalog]:
        """Return the catalog for the records of each collection. All of them together wait as long as a single one."""
        catalogs = {}
        deadline = asyncio.get_running_loop().time() + self._patience_seconds
        for collection in collections:
            catalogs[collection] = await self._catalog_for(collection, deadline)
        return catalogs

    async def _catalog_for(self, collection: Nsid, deadline: float) -> Catalog:
        if self._given.find(collection) is not None:
            return self._given
        # A write must not wait for a slow name server; a Lexicon that was resolved earlier stays valid.
        learned = self._types.get(collection)
        if asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(Failure, TimeoutError):
                async with asyncio.timeout_at(deadline):
                    learned = await self._learn(collection)
        if learned is None:
            return self._given
        self._keep(collection, learned)
        return learned.catalog

    async def _learn(self, collection: Nsid) -> _LearnedType | None:
        """Return the current type; None if it is no record type or too much. Raises Failure if a document cannot be
        resolved.
        """
        known = self._types.get(collection)
        if known is not None and {nsid: (await self._resolve(nsid)).cid for nsid in known.cids} == known.cids:
            return known
        lexicons: dict[Nsid, ResolvedLexicon] = {}
        text_bytes = 0
        catalog = Catalog(base=self._given)
        pending = [collection]
        while pending:
            nsid = pending.pop()
            if nsid in lexicons or self._given.find(nsid) is not None:
                continue
            lexicon = lexicons[nsid] = await self._resolve(nsid)
            text_bytes += len(lexicon.schema)
            if len(lexicons) > _MAX_TOGETHER or text_bytes > _MAX_TEXT_BYTES:
                return None
            document, references = await compute(len(lexicon.schema), _read, lexicon.schema)
            catalog.add(document)
            pending += references
        if catalog.find_record(collection) is None:
            return None
        cids = {nsid: lexicon.cid for nsid, lexicon in lexicons.items()}
        return _LearnedType(cids, catalog, _TYPE_BYTES + _MEMORY_PER_BYTE * text_bytes)

    def _keep(self, collection: Nsid, learned: _LearnedType) -> None:
        if self._types.get(collection) is learned:
            self._types.move_to_end(collection)
            return
        self._types[collection] = learned
        self._types.move_to_end(collection)
        self._drop([one for one in self._types if _author(one) == _author(collection)], AUTHOR_BYTES)
        self._drop(list(self._types), MAX_BYTES)

    def _drop(self, types: list[Nsid], max_bytes: int) -> None:
        """Drop the first of these types until the others take no more memory."""
        excess = sum(self._types[one].size for one in types) - max_bytes
        for one in types:
            if excess <= 0:
                return
            excess -= self._types.pop(one).size


def _read(schema: bytes) -> tuple[Document, set[Nsid]]:
    document = read_document(schema)
    return document, references_of(document)


def _author(nsid: Nsid) -> str:
    """Return the domain that somebody has registered, roughly: ``com.example`` for all its subdomains."""
    return ".".join(nsid.split(".")[:2])
