"""Catalog of known Lexicon documents: built-in ones, loaded on first use, and ones added by an operator or a resolver.

The built-in set (``documents/``, one file per NSID) is listed once, and documents are parsed one at a time, because a
server uses only a handful of the two hundred.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from at_protocol.failures import Malformed
from at_protocol.lexicon.authority import OWN_AUTHORITY
from at_protocol.lexicon.document import (
    Definition,
    Document,
    Method,
    ProcedureType,
    QueryType,
    RecordType,
    SubscriptionType,
    read_document,
)

DOCUMENTS = Path(__file__).parent / "documents"

Check = Callable[[object, int], None]


class Catalog:
    """Documents by NSID. ``own_authority`` is the operator's spelling of this project's own names.

    A catalog with a ``base`` has only the documents that are added to it, and finds all others in the base.

    ``compiled`` belongs to ``validate``: checks compiled from these documents, which are dropped when a document
    changes.
    """

    def __init__(self, own_authority: str = OWN_AUTHORITY, *, base: "Catalog | None" = None) -> None:
        self.compiled: dict[object, Check] = {}
        self._base = base
        self._own_authority = own_authority
        self._files: Mapping[str, Path] | None = None
        self._documents: dict[str, Document] = {}

    def names(self) -> list[str]:
        """Every known NSID, sorted."""
        given = self._bundled_files() if self._base is None else self._base.names()
        return sorted({*given, *self._documents})

    def find(self, nsid: str) -> Document | None:
        """Return the document of an NSID, or None if it is unknown."""
        document = self._documents.get(nsid)
        if document is None and self._base is not None:
            return self._base.find(nsid)
        if document is None:
            text = self.text(nsid)
            if text is not None:
                document = self._documents[nsid] = _read(text)
        return document

    def text(self, nsid: str) -> bytes | None:
        """Return the JSON of a built-in document as it is served and published, or None for other names."""
        if self._base is not None:
            return self._base.text(nsid)
        path = self._bundled_files().get(nsid)
        if path is None:
            return None
        text = path.read_bytes()
        if self._own_authority != OWN_AUTHORITY:
            text = text.replace(f'"{OWN_AUTHORITY}.'.encode(), f'"{self._own_authority}.'.encode())
        return text

    def add(self, document: Document) -> None:
        """Add a document, replacing one with the same name. The caller must have run the linter on it."""
        self._documents[document.id] = document
        self.compiled.clear()

    def holder_of(self, nsid: str) -> "Catalog":
        """Return the catalog that has the document of an NSID: this one or its base."""
        return self if self._base is None or nsid in self._documents else self._base.holder_of(nsid)

    def definition(self, reference: str) -> Definition:
        """Return the definition of ``nsid`` or ``nsid#name``. Raises Malformed if it is unknown."""
        nsid, _, name = reference.partition("#")
        document = self.find(nsid)
        if document is None:
            raise Malformed("lexicon", nsid, "this Lexicon is not known here")
        definition = document.defs.get(name or "main")
        if definition is None:
            raise Malformed("lexicon", reference, "the Lexicon has no such definition")
        return definition

    def find_record(self, collection: str) -> RecordType | None:
        """Return the record definition of a collection, or None if it is unknown or not a record."""
        document = self.find(collection)
        main = None if document is None else document.defs.get("main")
        return main if isinstance(main, RecordType) else None

    def find_method(self, nsid: str) -> Method | None:
        """Return the query, procedure or subscription with that name, or None if there is none."""
        document = self.find(nsid)
        main = None if document is None else document.defs.get("main")
        return main if isinstance(main, QueryType | ProcedureType | SubscriptionType) else None

    def _bundled_files(self) -> Mapping[str, Path]:
        if self._files is None:
            self._files = {
                self._own_authority + nsid.removeprefix(OWN_AUTHORITY)
                if nsid.startswith(f"{OWN_AUTHORITY}.")
                else nsid: path
                for nsid, path in _built_in().items()
            }
        return self._files


@functools.cache
def _built_in() -> Mapping[str, Path]:
    # The files are listed in full, so that a name from the network never becomes part of a path.
    return {".".join(path.relative_to(DOCUMENTS).with_suffix("").parts): path for path in DOCUMENTS.rglob("*.json")}


# Each part of a process has its own catalog. They share the documents, which are immutable.
_read = functools.cache(read_document)
