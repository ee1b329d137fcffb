"""What a repository holds against what is kept here about it: every way in which they can disagree. Pure.

What changed here after the revision of the read is left out: it is on its way, and no disagreement.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from openmeet.network.records.seen import Standing


class Discrepancy(StrEnum):
    """A way to disagree; the label of a metric."""

    RECORD_MISSING = "record_missing"  # there, and not known here
    RECORD_DIFFERS = "record_differs"  # there and here, in different versions
    RECORD_GONE = "record_gone"  # here, and not there
    PUBLICATION_LOST = "publication_lost"  # we said that it is published, and it is not there
    PUBLICATION_DIFFERS = "publication_differs"  # it is there in another version than we agreed on
    ROW_MISSING = "row_missing"  # a record that is understood, without its event or answer
    ROW_DIFFERS = "row_differs"  # an event, answer, series or group that says something else than its record
    ROW_WITHOUT_RECORD = "row_without_record"  # an event or answer whose record nobody knows


@dataclass(frozen=True, slots=True)
class Found:
    """One disagreement about one record. ``fields``: which columns of the row say something else."""

    uri: str
    kind: Discrepancy
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as last seen."""

    cid: str | None
    rev: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Promised:
    """A publication that says that it is published, with the version agreed on."""

    base_cid: str | None
    base_rev: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything kept about one repository, by uri. ``rowless`` are understood records without a row, ``recordless`` rows
    without a record.
    """

    kept: Mapping[str, Kept]
    promised: Mapping[str, Promised]
    rowless: Sequence[str]
    recordless: Sequence[str]


def compare(there: Mapping[str, str], rev: str, facts: Facts) -> list[Found]:
    """``there``: uri to CID as of ``rev``. In the order of uris."""
    found = [
        *_records(there, rev, facts.kept),
        *_promises(there, rev, facts.promised),
        *(Found(uri, Discrepancy.ROW_MISSING) for uri in facts.rowless),
        *(Found(uri, Discrepancy.ROW_WITHOUT_RECORD) for uri in facts.recordless),
    ]
    return in_order(found)


def in_order(found: Iterable[Found]) -> list[Found]:
    """By uri, and by kind."""
    return sorted(found, key=lambda one: (one.uri, one.kind))


def _records(there: Mapping[str, str], rev: str, kept: Mapping[str, Kept]) -> Iterator[Found]:
    for uri, cid in there.items():
        known = kept.get(uri)
        if known is None or (known.cid is None and known.rev <= rev):
            yield Found(uri, Discrepancy.RECORD_MISSING)
        elif known.cid != cid and known.rev <= rev:
            yield Found(uri, Discrepancy.RECORD_DIFFERS)
    for uri, known in kept.items():
        if uri not in there and known.cid is not None and known.rev <= rev:
            yield Found(uri, Discrepancy.RECORD_GONE)


def _promises(there: Mapping[str, str], rev: str, promised: Mapping[str, Promised]) -> Iterator[Found]:
    for uri, promise in promised.items():
        if promise.base_rev > rev:
            continue
        if uri not in there:
            yield Found(uri, Discrepancy.PUBLICATION_LOST)
        elif there[uri] != promise.base_cid:
            yield Found(uri, Discrepancy.PUBLICATION_DIFFERS)
