"""Events and answers that a PDS's frames announce and that a repository contains: the input of the oracle.

Read with other people's libraries, without any of our code.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import libipld

from tests.simulation.oracle import EVENT, RSVP, Change


@dataclass(frozen=True)
class Announced:
    """One frame. ``kind``: includes the #. For a commit, also its ``rev`` and its operations as (action, path)."""

    kind: str
    seq: int
    did: str
    rev: str
    operations: tuple[tuple[str, str], ...]


def announced_in(frame: bytes) -> Announced:
    """Decode the announcement in a frame."""
    kind, payload = _parts(frame)
    did = payload["repo"] if kind == "#commit" else payload["did"]
    operations = tuple((one["action"], one["path"]) for one in payload.get("ops", ()))
    return Announced(kind, payload["seq"], did, payload.get("rev", ""), operations)


def changes_in(frames: Iterable[bytes]) -> list[Change]:
    """Every version of every event and answer, in the order in which they were announced."""
    return [change for frame in frames for change in _changes(frame)]


def _changes(frame: bytes) -> Iterator[Change]:
    kind, payload = _parts(frame)
    if kind != "#commit":
        return
    _, blocks = libipld.decode_car(payload["blocks"])
    for operation in payload["ops"]:
        collection, _, rkey = operation["path"].partition("/")
        if collection in {EVENT, RSVP}:
            value = None if operation["cid"] is None else blocks[operation["cid"]]
            assert value is None or isinstance(value, dict)
            yield Change(payload["repo"], collection, rkey, payload["rev"], value)


def _parts(frame: bytes) -> tuple[str, dict[str, Any]]:
    header, payload = libipld.decode_dag_cbor_multi(frame)
    return header["t"], payload


@dataclass(frozen=True)
class Held:
    """The content of a repository file, as of ``rev``, with the root of its tree."""

    did: str
    rev: str
    data: str
    records: dict[str, Any]
    # The CIDs of events and answers, by path.
    calendar: dict[str, str]

    def emptied(self) -> "Held":
        """The same repository without records."""
        return replace(self, records={}, calendar={})


def held_in(car: bytes) -> Held:
    """Every record by its path. A missing block raises KeyError."""
    header, blocks = libipld.decode_car(car)
    (root,) = header["roots"]
    commit = blocks[root]
    cids: dict[str, bytes] = {}
    _walk(blocks, commit["data"], cids)
    records = {path: blocks[cid] for path, cid in cids.items()}
    calendar = {path: libipld.encode_cid(cid) for path, cid in cids.items() if path.partition("/")[0] in {EVENT, RSVP}}
    return Held(commit["did"], commit["rev"], libipld.encode_cid(commit["data"]), records, calendar)


def _walk(blocks: dict[bytes, Any], cid: bytes, found: dict[str, bytes]) -> None:
    node = blocks[cid]
    if node["l"] is not None:
        _walk(blocks, node["l"], found)
    key = b""
    for entry in node["e"]:
        key = key[: entry["p"]] + entry["k"]
        found[key.decode()] = entry["v"]
        if entry["t"] is not None:
            _walk(blocks, entry["t"], found)


def living_in(held: Held) -> list[Change]:
    """The events and answers of a repository, each with the rev of its commit."""
    parts = [(path.partition("/"), value) for path, value in held.records.items()]
    return [
        Change(held.did, collection, rkey, held.rev, value)
        for (collection, _, rkey), value in parts
        if collection in {EVENT, RSVP}
    ]


def answered_twice(changes: Iterable[Change]) -> list[tuple[str, str]]:
    """(author, event) of answers that were written while the author's repository had another record about the same
    event.
    """
    living: dict[str, tuple[str, str]] = {}
    twice = []
    for change in changes:
        if change.collection != RSVP:
            continue
        if change.value is None:
            living.pop(change.uri, None)
            continue
        about = (change.did, change.value["subject"]["uri"])
        if change.uri not in living and about in living.values():
            twice.append(about)
        living[change.uri] = about
    return twice
