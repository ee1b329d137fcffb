"""Succession of a record after an ownership transfer: its successor and its predecessors.

Source: our Lexicon ``openmeet.lexicon.succession``, an object in records of events and series. A step counts only if
both records confirm it: the old one names its successor, and that one names the old one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import normal_uri, parse_at_uri
from openmeet.network.records.collections import EVENTS, SUCCESSION_KEY, SUCCESSION_KEYS

# After more transfers than this, only the latest records lead to the current one.
MAX_PREDECESSORS: Final = 8


@dataclass(frozen=True, slots=True)
class RecordSuccession:
    """The succession stated in a record, as URIs of event records. ``successor`` is empty if there is none."""

    successor: str = ""
    predecessors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Predecessors:
    """URIs of a record's predecessors. ``existing``: oldest first. ``every``: including deleted ones."""

    existing: tuple[str, ...] = ()
    every: frozenset[str] = frozenset()


NO_PREDECESSORS: Final = Predecessors()


def put_predecessors(
    record: dict[str, Value], predecessors: Predecessors, written: Mapping[str, Value] | None = None
) -> None:
    """Write the latest predecessors into the current record. Only our own keys are written: keys that others added
    stay.

    A successor is removed if it is one of the predecessors or if we named it in our last version (``written``). A
    successor that another installation named stays.
    """
    key, succession = _succession(record)
    before = dict(succession)
    if predecessors.existing:
        succession["predecessors"] = list(predecessors.existing[-MAX_PREDECESSORS:])
    else:
        succession.pop("predecessors", None)
    successor = succession.get("successor")
    if successor is not None and (
        successor in predecessors.every or successor == _succession(written or {})[1].get("successor")
    ):
        succession.pop("successor")
    if not succession.keys() - {"$type"}:
        record.pop(key, None)
    elif succession != before:
        record[key] = {"$type": key, **succession}


def write_superseded(successor: str, previous: Mapping[str, Value]) -> dict[str, Value]:
    """Return a superseded record: unchanged except for its successor."""
    key, succession = _succession(previous)
    return {**previous, key: {"$type": key, **succession, "successor": successor}}


def read_succession(record: Mapping[str, object]) -> RecordSuccession:
    """Read the succession of an event record, as far as it is understood."""
    statement = next((record[key] for key in SUCCESSION_KEYS if isinstance(record.get(key), Mapping)), None)
    if not isinstance(statement, Mapping):
        return RecordSuccession()
    listed = statement.get("predecessors")
    predecessors = [_event_uri(one) for one in listed[:MAX_PREDECESSORS]] if isinstance(listed, list) else []
    return RecordSuccession(
        _event_uri(statement.get("successor")), tuple(dict.fromkeys(uri for uri in predecessors if uri))
    )


def _succession(record: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    for key in SUCCESSION_KEYS:
        succession = record.get(key)
        if isinstance(succession, dict):
            return key, dict(succession)
    return SUCCESSION_KEY, {}


def _event_uri(value: object) -> str:
    try:
        uri = normal_uri(parse_at_uri(value)) if isinstance(value, str) else None
    except Malformed:
        return ""
    if uri is None or uri.rkey is None or uri.collection not in EVENTS or not uri.authority.startswith("did:"):
        return ""
    return str(uri)
