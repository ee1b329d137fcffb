"""Cache of records as JSON responses, as bytes by CID: content is immutable, so entries never become stale.

A page of fifty records has to be decoded, converted and encoded, which is most of its time. Bounded, in two generations:
entries in use move into the young one; when that is full the old one is dropped and the young one becomes old. Visibility is
checked on each request, elsewhere.
"""

import msgspec

from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.repo.stored_record import read_stored

# Overhead of a dictionary entry, the key and the value's header.
_ENTRY_BYTES = 200

_encode = msgspec.json.Encoder().encode


def json_text(text: str) -> bytes:
    """A text as JSON."""
    return _encode(text)


class JsonForms:
    """Up to about ``max_bytes`` of them. Only :meth:`has` may be called from another thread than the one that inserts."""

    def __init__(self, max_bytes: int) -> None:
        self._limit = max_bytes // 2
        self._size = 0
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def has(self, cid: bytes) -> bool:
        """Whether the JSON of a record is cached; it may be gone a moment later."""
        return cid in self._young or cid in self._old

    def find(self, cid: bytes) -> bytes | None:
        """The cached JSON of a record, ``"cid":…,"value":…``: the two members that depend only on the content."""
        form = self._young.get(cid)
        if form is None:
            form = self._old.get(cid)
            if form is not None:
                self._keep(cid, form)
        return form

    def of(self, cid: bytes, block: bytes) -> bytes:
        """The JSON of a record as :meth:`find`, encoded from the block on a cache miss.

        A record that cannot be read (:mod:`stored_record`) becomes the empty object: its bytes are available from
        ``com.atproto.sync.getRecord``.
        """
        form = self.find(cid)
        if form is None:
            fields = read_stored(Cid(cid), block).fields
            value = b"{}" if fields is None else _encode(json_form.to_json(fields))
            form = b'"cid":"%b","value":%b' % (str(Cid(cid)).encode(), value)
            self._keep(cid, form)
        return form

    def _keep(self, cid: bytes, form: bytes) -> None:
        self._young[cid] = form
        self._size += _ENTRY_BYTES + len(form)
        if self._size > self._limit:
            self._old, self._young, self._size = self._young, {}, 0
