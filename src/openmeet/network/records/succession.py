"""What a record says of changing hands: where what it is about goes on, and which records it had before.

Source: our Lexicon ``openmeet.lexicon.succession``, an object that records of events and series carry under its name. A step counts
where both records say so: the old one names its successor, and that one names the old one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import normal_uri, parse_at_uri
from openmeet.network.records.collections import EVENTS, SUCCESSION_KEY, SUCCESSION_KEYS

# What changes hands more often leads to the present from its latest records only.
MOST_PREDECESSORS: Final = 8


@dataclass(frozen=True, slots=True)
class RecordSuccession:
    """Uris of records of events; ``successor`` is empty where none is named."""

    successor: str = ""
    predecessors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """``predecessors``: the records that this had before and that are there, the first one first; ``every``: also those that are gone."""

    predecessors: tuple[str, ...] = ()
    every: frozenset[str] = frozenset()


ALONE_STANDING: Final = Lineage()


def put_lineage(record: dict[str, Value], lineage: Lineage, written: Mapping[str, Value] | None = None) -> None:
    """Have the record that goes on name those before it, the latest ones; by key: what others added stays.

    One of its own is no successor of it (any more), nor is what we named in the version that we wrote last (``written``); what
    another installation says of where it goes on stays.
    """
    key, said = _said(record)
    before = dict(said)
    if lineage.predecessors:
        said["predecessors"] = list(lineage.predecessors[-MOST_PREDECESSORS:])
    else:
        said.pop("predecessors", None)
    named = said.get("successor")
    if named is not None and (named in lineage.every or named == _said(written or {})[1].get("successor")):
        said.pop("successor")
    if not said.keys() - {"$type"}:
        record.pop(key, None)
    elif said != before:
        record[key] = {"$type": key, **said}


def write_former(successor: str, previous: Mapping[str, Value]) -> dict[str, Value]:
    """The record of what went on elsewhere: as it was, and where that is."""
    key, said = _said(previous)
    return {**previous, key: {"$type": key, **said, "successor": successor}}


def read_succession(record: Mapping[str, object]) -> RecordSuccession:
    """What the record of an event says, as far as it can be understood."""
    found = next((record[key] for key in SUCCESSION_KEYS if isinstance(record.get(key), Mapping)), None)
    if not isinstance(found, Mapping):
        return RecordSuccession()
    listed = found.get("predecessors")
    named = [_event_uri(one) for one in listed[:MOST_PREDECESSORS]] if isinstance(listed, list) else []
    return RecordSuccession(_event_uri(found.get("successor")), tuple(dict.fromkeys(uri for uri in named if uri)))


def _said(record: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    for key in SUCCESSION_KEYS:
        said = record.get(key)
        if isinstance(said, dict):
            return key, dict(said)
    return SUCCESSION_KEY, {}


def _event_uri(value: object) -> str:
    try:
        uri = normal_uri(parse_at_uri(value)) if isinstance(value, str) else None
    except Malformed:
        return ""
    if uri is None or uri.rkey is None or uri.collection not in EVENTS or not uri.authority.startswith("did:"):
        return ""
    return str(uri)
