"""How far the reading of somebody's repository is, for the person to see: from their sign-in until all of it is here.

A row per DID that signed in, written with every batch that is applied: what it says is here is here. A read that was interrupted goes
on by itself, because what was applied is known; the row says why it waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.users.model import UserId


class BackfillStage(StrEnum):
    """Where a read stands. ``DELAYED``: the server did not answer as it should; it is asked again."""

    WAITING = "waiting"
    READING = "reading"
    APPLYING = "applying"
    DELAYED = "delayed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class FirstRead:
    """``total`` records were found, ``applied`` of them are here. ``reason`` is set while delayed.

    ``put_aside``: so many could not be taken over, when they were read last.
    """

    did: Did
    handle: str
    pds_url: str
    stage: BackfillStage
    total: int
    applied: int
    reason: str
    put_aside: int
    asked_at: Instant
    finished_at: Instant | None

    @property
    def is_done(self) -> bool:
        return self.stage is BackfillStage.DONE


_ASK: Final = """
    insert into first_reads (did, stage, total, applied, reason, asked_at, finished_at)
    values (:did, 'waiting', 0, 0, '', :now, null)
        on conflict (did) do update
       set stage = 'waiting', total = 0, applied = 0, reason = '', asked_at = excluded.asked_at, finished_at = null
     where first_reads.finished_at is not null
"""
_OF_PERSON: Final = """
    select r.did, i.handle, i.pds_url, r.stage, r.total, r.applied, r.reason, r.asked_at, r.finished_at,
           (select count(*) from records_put_aside p where p.did = r.did and p.step = 'taking') as put_aside
      from first_reads r join identities i on i.did = r.did
     where i.user_id = :user_id order by r.asked_at desc, r.did
"""

_WAITED_SINCE: Final = "select max(asked_at) as asked_at from first_reads where did in :dids and finished_at is null"


async def ask(tx: Transaction, did: Did) -> None:
    """Somebody signed in with this DID: from now on they can see how far its reading is."""
    await tx.execute(_ASK, did=did, now=tx.now)


async def begin(tx: Transaction, did: Did) -> bool:
    """The repository is being fetched; whether somebody waits for it."""
    waiting = await tx.execute(
        "update first_reads set stage = 'reading', applied = 0, reason = '' where did = :did and finished_at is null",
        did=did,
    )
    return waiting == 1


async def found(tx: Transaction, did: Did, total: int) -> None:
    """It holds so many records that concern us."""
    await tx.execute(
        "update first_reads set stage = 'applying', total = :total where did = :did and finished_at is null",
        did=did,
        total=total,
    )


async def step(tx: Transaction, did: Did, number: int) -> None:
    """So many more are here, by this very transaction."""
    await tx.execute(
        "update first_reads set applied = applied + :number where did = :did and finished_at is null",
        did=did,
        number=number,
    )


async def delayed(tx: Transaction, did: Did, reason: str) -> None:
    """The server is away or slow; what was applied stays, and it is asked again."""
    await tx.execute(
        "update first_reads set stage = 'delayed', reason = :reason where did = :did and finished_at is null",
        did=did,
        reason=reason,
    )


async def done(tx: Transaction, did: Did) -> None:
    """All of it is here."""
    await tx.execute(
        "update first_reads set stage = 'done', reason = '', finished_at = :now where did = :did and finished_at is null",
        did=did,
        now=tx.now,
    )


async def waited_since(reader: Reader, dids: Sequence[Did]) -> Instant | None:
    """When the last of these repositories whose reading is not done was asked for; None where all that were asked for are read."""
    row = await reader.fetch_one(_WAITED_SINCE, dids=list(dids)) if dids else None
    return None if row is None or row["asked_at"] is None else Instant(row["asked_at"])


async def of_person(reader: Reader, user_id: UserId) -> list[FirstRead]:
    """The reads of a person's repositories, the newest first."""
    return [
        FirstRead(
            did=Did(row["did"]),
            handle=row["handle"],
            pds_url=row["pds_url"],
            stage=BackfillStage(row["stage"]),
            total=row["total"],
            applied=row["applied"],
            reason=row["reason"],
            put_aside=row["put_aside"],
            asked_at=Instant(row["asked_at"]),
            finished_at=None if row["finished_at"] is None else Instant(row["finished_at"]),
        )
        for row in await reader.fetch(_OF_PERSON, user_id=user_id)
    ]
