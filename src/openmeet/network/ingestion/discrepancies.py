"""Discrepancies found by reconciling, kept for thirty days: those repaired at once, and those that remain."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from groundwork.clock import DAY, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from openmeet.network.records.seen import RecordState


class Discrepancy(StrEnum):
    """A kind of discrepancy; also the label of a metric."""

    RECORD_MISSING = "record_missing"  # in the repository, but not known here
    RECORD_DIFFERS = "record_differs"  # in both, but in different versions
    RECORD_GONE = "record_gone"  # known here, but not in the repository
    PUBLICATION_LOST = "publication_lost"  # published according to our row, but not in the repository
    PUBLICATION_DIFFERS = "publication_differs"  # published in a version other than the agreed one
    ROW_MISSING = "row_missing"  # a valid record without its event or RSVP
    ROW_DIFFERS = "row_differs"  # an event, RSVP, series or group that differs from its record
    ROW_WITHOUT_RECORD = "row_without_record"  # an event or RSVP whose record is unknown


@dataclass(frozen=True, slots=True)
class RecordDiscrepancy:
    """One discrepancy of one record. ``fields``: the columns that differ."""

    uri: str
    kind: Discrepancy
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """What ``compare`` needs of a record as last seen."""

    cid: str | None
    rev: str
    state: RecordState


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A publication in state PUBLISHED, with the agreed version."""

    base_cid: str | None
    base_rev: str


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What is stored about one repository, by URI. ``rowless``: understood records without a row; ``recordless``: rows
    without a record.
    """

    kept: Mapping[str, SeenVersion]
    published: Mapping[str, PublishedVersion]
    rowless: Sequence[str]
    recordless: Sequence[str]


@dataclass(frozen=True, slots=True)
class RepositoryContents:
    """What a repository contains: CIDs by URI, as of ``rev``.

    ``proof_revs``: when records were verified individually, also absent ones. What was written after ``rev`` is neither
    among the CIDs nor absent, unless it has a proof.
    """

    cids: Mapping[str, str]
    rev: str
    proof_revs: Mapping[str, str] = field(default_factory=dict)

    def rev_of(self, uri: str) -> str:
        """Return the rev as of which the record, or its absence, is known."""
        return self.proof_revs.get(uri, self.rev)


def compare(contents: RepositoryContents, facts: RepositoryFacts) -> list[RecordDiscrepancy]:
    """Return the discrepancies of a repository, in URI order."""
    discrepancies = [
        *_records(contents, facts.kept),
        *_publications(contents, facts.published),
        *(RecordDiscrepancy(uri, Discrepancy.ROW_MISSING) for uri in facts.rowless),
        *(RecordDiscrepancy(uri, Discrepancy.ROW_WITHOUT_RECORD) for uri in facts.recordless),
    ]
    return in_order(discrepancies)


def in_order(discrepancies: Iterable[RecordDiscrepancy]) -> list[RecordDiscrepancy]:
    """Sort discrepancies by URI and kind."""
    return sorted(discrepancies, key=lambda one: (one.uri, one.kind))


def _records(contents: RepositoryContents, kept: Mapping[str, SeenVersion]) -> Iterator[RecordDiscrepancy]:
    for uri, cid in contents.cids.items():
        record = kept.get(uri)
        if record is None or (record.cid is None and record.rev <= contents.rev_of(uri)):
            yield RecordDiscrepancy(uri, Discrepancy.RECORD_MISSING)
        elif record.cid != cid and record.rev <= contents.rev_of(uri):
            yield RecordDiscrepancy(uri, Discrepancy.RECORD_DIFFERS)
    for uri, record in kept.items():
        if uri not in contents.cids and record.cid is not None and record.rev <= contents.rev_of(uri):
            yield RecordDiscrepancy(uri, Discrepancy.RECORD_GONE)


def _publications(
    contents: RepositoryContents, published: Mapping[str, PublishedVersion]
) -> Iterator[RecordDiscrepancy]:
    for uri, version in published.items():
        if version.base_rev > contents.rev_of(uri):
            continue
        if uri not in contents.cids:
            yield RecordDiscrepancy(uri, Discrepancy.PUBLICATION_LOST)
        elif contents.cids[uri] != version.base_cid:
            yield RecordDiscrepancy(uri, Discrepancy.PUBLICATION_DIFFERS)


KEPT_FOR = 30 * DAY

PUT = """
    insert into discrepancies (uri, kind, did, found_at, seen_at, repaired_at, times)
    values (:uri, :kind, :did, :now, :now, :repaired_at, 1)
        on conflict (uri, kind) do update
       set found_at = case when discrepancies.repaired_at is null then discrepancies.found_at else excluded.found_at end,
           seen_at = excluded.seen_at, repaired_at = excluded.repaired_at, times = discrepancies.times + 1
"""

# A discrepancy that a later comparison no longer finds has resolved itself.
SET_REPAIRED = "update discrepancies set repaired_at = :now where did = :did and repaired_at is null and seen_at < :now"


@dataclass(frozen=True, slots=True)
class StoredDiscrepancy:
    """A discrepancy with its history. ``times``: how often it was found."""

    uri: str
    kind: Discrepancy
    found_at: Instant
    repaired_at: Instant | None
    times: int


async def note(
    tx: Transaction, did: str, repaired: Sequence[RecordDiscrepancy], unrepaired: Sequence[RecordDiscrepancy]
) -> None:
    """Store the result of one comparison of a repository."""
    for found, repaired_at in ((repaired, tx.now), (unrepaired, None)):
        await tx.execute_many(
            PUT,
            [
                {"uri": one.uri, "kind": one.kind.value, "did": did, "now": tx.now, "repaired_at": repaired_at}
                for one in found
            ],
        )
    await tx.execute(SET_REPAIRED, did=did, now=tx.now)


async def count_by_kind(reader: Reader) -> dict[tuple[Discrepancy, bool], int]:
    """Return the number of discrepancies per kind and per state (repaired or open)."""
    rows = await reader.fetch(
        """
        select kind, case when repaired_at is null then 0 else 1 end as is_repaired, count(*) as n
          from discrepancies group by kind, case when repaired_at is null then 0 else 1 end
        """
    )
    return {(Discrepancy(row["kind"]), bool(row["is_repaired"])): int(row["n"]) for row in rows}


async def newest(reader: Reader, limit: int = 50) -> list[StoredDiscrepancy]:
    """Return discrepancies for the operator's page: open ones first, then repaired ones, newest first."""
    rows = await reader.fetch(
        """
        select uri, kind, found_at, repaired_at, times from discrepancies
         order by case when repaired_at is null then 0 else 1 end, seen_at desc, uri, kind limit :limit
        """,
        limit=limit,
    )
    return [
        StoredDiscrepancy(
            row["uri"],
            Discrepancy(row["kind"]),
            Instant(row["found_at"]),
            None if row["repaired_at"] is None else Instant(row["repaired_at"]),
            row["times"],
        )
        for row in rows
    ]


async def forget_old(tx: Transaction) -> int:
    """Delete discrepancies that were repaired long ago."""
    return await delete_some(tx, "discrepancies", "repaired_at < :before", before=tx.now - KEPT_FOR)


async def erase_of(tx: Transaction, did: str) -> None:
    """Delete the discrepancies of an erased DID's records."""
    await tx.execute("delete from discrepancies where did = :did", did=did)
