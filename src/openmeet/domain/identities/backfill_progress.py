"""Progress of a repository's backfill, shown to its owner from sign-in until everything is imported.

One row per DID that signed in. The transaction of every applied batch updates the row, so its count is exact. An
interrupted backfill resumes on its own; the row says why it is delayed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, decode_explanation, encode_explanation
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import UserId


class BackfillStage(StrEnum):
    """Stage of a backfill. ``DELAYED``: the server is unavailable or slow; the backfill is retried."""

    WAITING = "waiting"
    READING = "reading"
    APPLYING = "applying"
    DELAYED = "delayed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """Progress of a backfill.

    Of ``total`` records found, ``applied`` are imported. ``reason`` is set while the backfill is delayed. ``quarantined``
    is the number of records that the latest read quarantined.
    """

    did: Did
    handle: str
    pds_url: str
    stage: BackfillStage
    total: int
    applied: int
    reason: Explanation | None
    quarantined: int
    asked_at: Instant
    finished_at: Instant | None

    @property
    def is_done(self) -> bool:
        return self.stage is BackfillStage.DONE


_ASK: Final = """
    insert into backfills (did, stage, total, applied, reason, asked_at, finished_at)
    values (:did, 'waiting', 0, 0, '', :now, null)
        on conflict (did) do update
       set stage = 'waiting', total = 0, applied = 0, reason = '', asked_at = excluded.asked_at, finished_at = null
     where backfills.finished_at is not null
"""
_OF_PERSON: Final = """
    select r.did, i.handle, i.pds_url, r.stage, r.total, r.applied, r.reason, r.asked_at, r.finished_at,
           (select count(*) from quarantined_records p where p.did = r.did and p.step = 'apply') as quarantined
      from backfills r join identities i on i.did = r.did
     where i.user_id = :user_id"""

_WAITED_SINCE: Final = "select max(asked_at) as asked_at from backfills where did in :dids and finished_at is null"


async def track(tx: Transaction, did: Did) -> None:
    """Start tracking the backfill of a DID that signed in."""
    await tx.execute(_ASK, did=did, now=tx.now)


async def note_started(tx: Transaction, did: Did) -> bool:
    """Note that the repository is being fetched. Returns whether the backfill is tracked."""
    waiting = await tx.execute(
        "update backfills set stage = 'reading', applied = 0, reason = '' where did = :did and finished_at is null",
        did=did,
    )
    return waiting == 1


async def set_total(tx: Transaction, did: Did, total: int) -> None:
    """Set the number of relevant records found. None of them counts as applied yet, even if a repeated read has already
    counted some.
    """
    await tx.execute(
        "update backfills set stage = 'applying', total = :total, applied = 0 where did = :did and finished_at is null",
        did=did,
        total=total,
    )


async def add_applied(tx: Transaction, did: Did, number: int) -> None:
    """Add the number of records that this transaction applied."""
    await tx.execute(
        "update backfills set applied = applied + :number where did = :did and finished_at is null",
        did=did,
        number=number,
    )


async def note_delay(tx: Transaction, did: Did, reason: Explanation) -> None:
    """Note that the server is unavailable or slow. Applied records stay, and the backfill is retried."""
    await tx.execute(
        "update backfills set stage = 'delayed', reason = :reason where did = :did and finished_at is null",
        did=did,
        reason=encode_explanation(reason),
    )


async def note_complete(tx: Transaction, did: Did) -> None:
    """Note that the backfill of a DID is complete."""
    await tx.execute(
        "update backfills set stage = 'done', reason = '', finished_at = :now where did = :did and finished_at is null",
        did=did,
        now=tx.now,
    )


async def requested_at(reader: Reader, dids: Sequence[Did]) -> Instant | None:
    """The time at which the most recent unfinished backfill of these DIDs was requested; None if all are complete."""
    row = await reader.fetch_one(_WAITED_SINCE, dids=list(dids)) if dids else None
    return None if row is None or row["asked_at"] is None else Instant(row["asked_at"])


async def of_person(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[BackfillProgress]:
    """The backfills of all repositories of a user, newest first."""
    return [
        BackfillProgress(
            did=Did(row["did"]),
            handle=row["handle"],
            pds_url=row["pds_url"],
            stage=BackfillStage(row["stage"]),
            total=row["total"],
            applied=row["applied"],
            reason=decode_explanation(row["reason"]),
            quarantined=row["quarantined"],
            asked_at=Instant(row["asked_at"]),
            finished_at=None if row["finished_at"] is None else Instant(row["finished_at"]),
        )
        for row in await reader.fetch(
            f"{_OF_PERSON}{page.clause('r.asked_at', 'r.did')}", user_id=user_id, **page.values
        )
    ]
