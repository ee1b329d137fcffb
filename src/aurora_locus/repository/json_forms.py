"""Cache of records encoded as JSON, by CID. The content of a CID never changes, so entries never become stale.

Decoding, converting and encoding the records takes most of the time of a page of fifty records. The cache is bounded
and has two generations: entries in use move into the young one; when that is full, the old one is dropped and the young
one becomes the old one. The callers check on each request whether a record is visible.
"""

import msgspec

from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.repo.stored_record import read_stored
from groundwork.threads import compute

# Overhead of an entry: the dictionary slot, the key and the header of the value.
_ENTRY_BYTES = 200

_encode = msgspec.json.Encoder().encode


def json_text(text: str) -> bytes:
    """Encode a text as JSON."""
    return _encode(text)


class JsonForms:
    """A cache of up to about ``max_bytes``. Of its methods, other threads than the one that inserts may call only
    ``has``.
    """

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes // 2
        self._size = 0
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def has(self, cid: bytes) -> bool:
        """Whether the JSON of a record is cached. It may be gone a moment later."""
        return cid in self._young or cid in self._old

    def find(self, cid: bytes) -> bytes | None:
        """Return the cached JSON of a record, ``"cid":…,"value":…``: the two members that depend only on the content.
        None if it is not cached.
        """
        form = self._young.get(cid)
        if form is None:
            form = self._old.get(cid)
            if form is not None:
                self._keep(cid, form)
        return form

    async def of(self, cid: bytes, block: bytes) -> bytes:
        """Return the JSON of a record as ``find`` does, encoding the block on a cache miss.

        A record that cannot be read (``stored_record``) becomes an empty object. Its bytes are available from
        ``com.atproto.sync.getRecord``.
        """
        form = self.find(cid)
        if form is None:
            form = await compute(len(block), self._find_or_encode, cid, block)
            self._keep(cid, form)
        return form

    def _find_or_encode(self, cid: bytes, block: bytes) -> bytes:
        """Called on the thread of ``compute``: meanwhile, a request for the same record may have cached it."""
        form = self._young.get(cid)
        return _form(cid, block) if form is None else form

    def _keep(self, cid: bytes, form: bytes) -> None:
        if cid in self._young:
            return
        self._young[cid] = form
        self._size += _ENTRY_BYTES + len(form)
        if self._size > self._limit:
            self._old, self._young, self._size = self._young, {}, 0


def _form(cid: bytes, block: bytes) -> bytes:
    fields = read_stored(Cid(cid), block).fields
    value = b"{}" if fields is None else _encode(json_form.to_json(fields))
    return b'"cid":"%b","value":%b' % (str(Cid(cid)).encode(), value)
