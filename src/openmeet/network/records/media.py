"""Pictures in an event's record: ours, in the shape that other apps write, and which one of others' is the event's.

The community's Lexicon has no field for them; ``media`` is what apps agree on. Our mark of origin names the blob that is ours: its
entry is changed and taken away by us, and every other stays. Where somebody took ours away, it stays away until the picture changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from openmeet.network.records.sentence import mark_of

KEY: Final = "picture"
_TYPE: Final = "community.lexicon.calendar.event#media"
_ROLES: Final = ("header", "thumbnail")


@dataclass(frozen=True, slots=True)
class MediaOut:
    """Our picture as a blob: its CID follows from its bytes, so that it is known before it is sent."""

    cid: Cid
    mime_type: str
    size: int
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MediaIn:
    """A picture that somebody's record names. ``width`` and ``height`` are what it says, 0 where it does not."""

    cid: str
    alt: str
    width: int
    height: int


def put_media(record: dict[str, Value], ours: MediaOut | None, known: str) -> None:
    """Have the record show our picture, or none of ours. ``known``: the CID of the one that we put there before, or empty."""
    listed = record.get("media")
    if listed is not None and not isinstance(listed, list):
        return  # in a shape of somebody's own: nothing there is ours
    entries: list[Value] = list(listed or [])
    at = next((index for index, entry in enumerate(entries) if known and _cid_in(entry) == known), None)
    if ours is None:
        if at is not None:
            entries.pop(at)
    elif at is not None:
        entries[at] = _entry(ours, entries[at])
    elif str(ours.cid) != known:
        entries.insert(0, _entry(ours, None))
    if entries != (listed or []):
        if entries:
            record["media"] = entries
        else:
            record.pop("media", None)


def blob_value(ours: MediaOut) -> Value:
    """The blob as a record names it."""
    return {"$type": "blob", "ref": ours.cid, "mimeType": ours.mime_type, "size": ours.size}


def cid_of_blob(value: object) -> str:
    """The CID of what a record names as a blob; empty where that is none."""
    reference = value.get("ref") if isinstance(value, Mapping) else None
    if isinstance(reference, Cid):
        return str(reference)
    if isinstance(reference, Mapping):  # as JSON writes a link
        reference = reference.get("$link")
    if not isinstance(reference, str):
        return ""
    try:
        return str(Cid.parse(reference))
    except Malformed:
        return ""  # some apps write what is no CID


def known_picture(*versions: Mapping[str, object] | None) -> str:
    """The CID of the picture that we put into the first of these versions that names one; empty where none does."""
    for version in versions:
        said = mark_of(version).get(KEY)
        if isinstance(said, str):
            return said
    return ""


def read_media(record: Mapping[str, object]) -> MediaIn | None:
    """The event's picture: the header, else the thumbnail, else the first. None where no entry names a blob."""
    listed = record.get("media")
    found: list[tuple[int, MediaIn]] = []
    for entry in listed if isinstance(listed, list) else []:
        cid = _cid_in(entry)
        if not cid or not isinstance(entry, Mapping):
            continue
        role, alt, ratio = entry.get("role"), entry.get("alt"), entry.get("aspect_ratio")
        sides = ratio if isinstance(ratio, Mapping) else {}
        rank = _ROLES.index(role) if role in _ROLES else len(_ROLES)
        found.append(
            (rank, MediaIn(cid, alt if isinstance(alt, str) else "", _side(sides, "width"), _side(sides, "height")))
        )
    return min(found, key=lambda one: one[0])[1] if found else None


def _entry(ours: MediaOut, before: Value) -> Value:
    kept = before if isinstance(before, dict) else {"$type": _TYPE, "role": _ROLES[0]}
    sides: Value = {"width": ours.width, "height": ours.height}
    return {**kept, "alt": ours.alt, "aspect_ratio": sides, "content": blob_value(ours)}


def _cid_in(entry: object) -> str:
    return cid_of_blob(entry.get("content")) if isinstance(entry, Mapping) else ""


def _side(sides: Mapping[object, object], name: str) -> int:
    value = sides.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000 else 0
