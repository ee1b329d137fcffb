"""``openMeetMeta``: what an older OpenMeet wrote into the records of events before there was a link to their series.

It names the series by its address there (``seriesSlug``), says that the event comes again (``isRecurring``), and names a picture in
that installation's own store (``imageSourceKey``). Only the first says anything that is not known without it: events of one author
that name the same series are its dates. Read, and left in the record; never written.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from at_protocol.data import cbor
from groundwork.database.transaction import Reader
from openmeet.network.records.collections import OLDER_META_KEY
from openmeet.network.records.reader import Notes, line_of

MAX_NAME: Final = 200
# Records may have a megabyte each: so many of them are in memory at a time.
_AT_ONCE: Final = 25

_BODIES: Final = "select uri, body from records where uri in :uris and standing = 'mapped' order by uri"


async def named_series(reader: Reader, uris: Sequence[str]) -> dict[str, str]:
    """Which series the records at these addresses name, by address; those that name none are not in it."""
    mark = OLDER_META_KEY.encode()
    found: dict[str, str] = {}
    for start in range(0, len(uris), _AT_ONCE):
        for row in await reader.fetch(_BODIES, uris=list(uris[start : start + _AT_ONCE])):
            body = bytes(row["body"] or b"")
            if mark not in body:  # a look at the bytes spares reading thousands of records that have none
                continue
            record = cbor.decode(body)
            name = series_name(record.get(OLDER_META_KEY)) if isinstance(record, dict) else ""
            if name:
                found[row["uri"]] = name
    return found


def series_name(meta: object) -> str:
    """The series that it names; empty where it names none, or says that the event does not come again."""
    if not isinstance(meta, Mapping) or meta.get("isRecurring") is False:
        return ""
    return line_of(meta.get("seriesSlug"), MAX_NAME)


def note_older_meta(meta: object, notes: Notes) -> None:
    """What was read of it, and why the rest means nothing here."""
    if not isinstance(meta, Mapping):
        notes.keep(OLDER_META_KEY, "is not a map")
        return
    name = series_name(meta)
    if name:
        notes.read("series", f"{OLDER_META_KEY}/seriesSlug", name)
    for key in meta:
        path = f"{OLDER_META_KEY}/{key}"
        match key:
            case "seriesSlug":
                if not name:
                    notes.keep(path, "names no series that the event is a date of")
            case "isRecurring":
                notes.keep(path, "says whether the event comes again; which series it is a date of says more")
            case "imageSourceKey":
                notes.keep(
                    path, "names a picture in the store of the installation that wrote it; pictures are read from media"
                )
            case _:
                notes.keep(path, "is no field that an older OpenMeet is known to have written")
