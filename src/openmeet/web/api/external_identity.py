"""The network record of an object: its URI, repository and version, and when it was last synced."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.i18n.formatting import iso
from openmeet.network.records.seen import newest_versions


class RecordSource(msgspec.Struct, rename="camel"):
    """Where the object was created: on this site (``openmeet``) or with another app (``atproto``).

    ``recordUri`` is its record, and ``did`` the DID of the record's repository. ``recordCid`` is the newest version
    that this site has seen, and ``syncedAt`` the time at which that version was read or written. All four are null if
    there is no record. The last two are also null if the record has not been read yet.
    """

    kind: Literal["openmeet", "atproto"]
    record_uri: str | None = None
    did: str | None = None
    record_cid: str | None = None
    synced_at: str | None = None


async def sources_of(reader: Reader, several: Sequence[tuple[bool, str | None]]) -> list[RecordSource]:
    """The source of each event: whether it was created here, and its record's URI. Runs a fixed number of queries."""
    uris = sorted({uri for _, uri in several if uri is not None})
    seen = await newest_versions(reader, uris)
    return [_source(uri, seen, is_here=is_here) for is_here, uri in several]


def _source(uri: str | None, seen: dict[str, tuple[str, Instant]], *, is_here: bool) -> RecordSource:
    kind: Literal["openmeet", "atproto"] = "openmeet" if is_here else "atproto"
    if uri is None:
        return RecordSource(kind)
    did = uri.removeprefix("at://").partition("/")[0]
    if uri not in seen:
        return RecordSource(kind, uri, did)
    cid, seen_at = seen[uri]
    return RecordSource(kind, uri, did, cid, iso(seen_at))
