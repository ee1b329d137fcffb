"""Preparation of a write, before any lock is taken: validate, encode, hash, and check its blobs.

Source: Lexicon specification (validation modes), data model specification (valid records), blob specification. These
checks do not depend on the repository's state; those that do are in ``commit``.
"""

from collections.abc import Sequence
from typing import Literal

from at_protocol.data import cbor
from at_protocol.data.blob_ref import find_blobs
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import RecordType
from at_protocol.lexicon.validate import validate_record, validate_record_key
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.blobs.references import require_blobs
from aurora_locus.identity.handles import is_offensive
from aurora_locus.repository.duplicates import hash_subject
from aurora_locus.repository.model import NoSwapRecord, PreparedWrite, WriteAction
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput

# The largest record that consumers accept (sync specification).
MAX_RECORD_BYTES = 1_000_000

# Its Lexicon requires the key type `tid`, but most apps write RSVPs under other keys, so the key type is enforced only
# if validation is requested.
ANY_KEY = frozenset({Nsid("community.lexicon.calendar.rsvp")})


def prepare_record(
    catalog: Catalog,
    action: WriteAction,
    collection: Nsid,
    rkey: RecordKey | None,
    value: Value,
    *,
    validate: bool | None,
    fresh_key: Tid,
    swap: Cid | NoSwapRecord | None = NoSwapRecord.ANYTHING,
) -> PreparedWrite:
    """Prepare a creation, update or put for the commit.

    ``fresh_key`` is used if no key was given, unless the record type has a literal key. ``validate`` is the caller's
    parameter. Raises InvalidInput.
    """
    record = _with_type(collection, value)
    if rkey is not None and is_offensive(rkey):
        raise InvalidInput("rkey", "This record key is not allowed here, because it has a slur.")
    definition = catalog.find_record(collection)
    rkey = rkey or _default_key(definition, fresh_key)
    try:
        validation = _validate(catalog, definition, collection, rkey, record, validate)
        block = cbor.encode(record)
        blobs = tuple(find_blobs(record))
    except Malformed as error:
        raise InvalidInput("record", f"The record is not valid: {error.why}.") from None
    if len(block) > MAX_RECORD_BYTES:
        raise InvalidInput("record", f"The record has {len(block)} bytes; at most {MAX_RECORD_BYTES} are allowed.")
    if any(blob.is_legacy for blob in blobs):
        raise InvalidInput(
            "record", "The record refers to a blob in the old form (cid, mimeType), which new records cannot use."
        )
    cid, subject = Cid.for_cbor(block), hash_subject(collection, record)
    return PreparedWrite(action, collection, rkey, cid, block, blobs, swap, validation, subject)


def prepare_deletion(
    collection: Nsid, rkey: RecordKey, *, swap: Cid | NoSwapRecord | None = NoSwapRecord.ANYTHING
) -> PreparedWrite:
    """Prepare a deletion for the commit."""
    return PreparedWrite(WriteAction.DELETE, collection, rkey, swap=swap)


async def check_blobs(db: Database, did: Did, writes: Sequence[PreparedWrite]) -> None:
    """Check that every referenced blob is on this server and matches the records. Raises InvalidInput, NotFound."""
    references = [blob for write in writes for blob in write.blobs]
    if references:
        await require_blobs(db, did, references)


def _with_type(collection: Nsid, value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise InvalidInput("record", "A record must be an object.")
    type_name = value.get("$type")
    if type_name is None and "$type" not in value:
        return {**value, "$type": str(collection)}
    if type_name != collection:
        raise InvalidInput(
            "record", f"The record's $type is {type_name!r}, its collection {collection}: they must be equal."
        )
    return value


def _default_key(definition: RecordType | None, fresh_key: Tid) -> RecordKey:
    if definition is not None and definition.key.startswith("literal:"):
        return RecordKey(definition.key.removeprefix("literal:"))
    return RecordKey(fresh_key)


def _validate(
    catalog: Catalog,
    definition: RecordType | None,
    collection: Nsid,
    rkey: RecordKey,
    record: dict[str, Value],
    validate: bool | None,
) -> Literal["valid", "unknown"] | None:
    if validate is False:
        return None
    if definition is None:
        if validate:
            raise InvalidInput(
                "record", f"The Lexicon {collection} is not known here, so the record cannot be validated."
            )
        return "unknown"
    if validate or collection not in ANY_KEY:
        try:
            validate_record_key(definition, rkey)
        except Malformed as error:
            raise InvalidInput("rkey", f"Invalid record key for {collection}: {error.why}.") from None
    validate_record(catalog, collection, record)
    return "valid"
