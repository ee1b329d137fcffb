"""SQL for proposed merges, and counts of what a user holds."""

from collections.abc import Sequence
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.account_merge.model import (
    KEPT_FOR,
    OPEN_FOR,
    LabelledCount,
    MergeProposal,
    MergeProposalId,
    OwnershipProof,
)
from openmeet.domain.groups.model import BELOW_OWNER, GroupRole, roles_sql
from openmeet.domain.personal_data.tables import hand_over
from openmeet.domain.users.model import UserId

_COLUMNS: Final = "id, user_id, other_id, proof, proven, created_at, expires_at, settled_at, joined"

# The kinds of rows that are counted, in the order in which people are shown them: those that they recognise best come
# first.
_HELD: Final = (
    ("events", "events where author_id = :id and deleted_at is null and removed_at is null", ("event", "events")),
    ("series", "event_series where user_id = :id and deleted_at is null", ("series", "series")),
    ("answers", "attendances where user_id = :id", ("answer", "answers")),
    ("groups", "groups where owner_id = :id and deleted_at is null", ("group of your own", "groups of your own")),
    (
        "memberships",
        f"group_members where user_id = :id and role in ({roles_sql((*BELOW_OWNER, GroupRole.PENDING))})",
        ("membership", "memberships"),
    ),
    ("following", "event_series_followers where user_id = :id", ("series you follow", "series you follow")),
    ("followedGroups", "group_followers where user_id = :id", ("group you follow", "groups you follow")),
    ("calendars", "subscribed_calendars where user_id = :id", ("calendar", "calendars")),
    ("tokens", "api_tokens where user_id = :id and revoked_at is null", ("API token", "API tokens")),
    ("webhooks", "webhooks where user_id = :id", ("webhook", "webhooks")),
)
_HOLDING_LABELS: Final = {key: words for key, _, words in _HELD}
_COUNT: Final = "select " + ", ".join(
    f"(select count(*) from {what}) as n{at}" for at, (_, what, _) in enumerate(_HELD)
)


async def holdings(reader: Reader, user_id: UserId) -> tuple[LabelledCount, ...]:
    """Return what a user holds. Kinds with a count of zero are left out."""
    row = await reader.fetch_one(_COUNT, id=user_id)
    if row is None:
        return ()
    return tuple(
        LabelledCount(key, int(row[f"n{at}"]), words) for at, (key, _, words) in enumerate(_HELD) if int(row[f"n{at}"])
    )


async def propose(
    tx: Transaction, user_id: UserId, other_id: UserId, proof: OwnershipProof, proven: str
) -> MergeProposalId:
    """Store the proof that ``user_id`` owns ``other_id``. ``proven`` is the DID or address. A repeated proof reuses the
    open proposal.
    """
    proposal_id = MergeProposalId(new_id(tx.now))
    row = await tx.fetch_one(
        """
        insert into account_merges (id, user_id, other_id, proof, proven, created_at, expires_at, settled_at, joined)
        values (:id, :user_id, :other_id, :proof, :proven, :now, :expires_at, null, '[]')
            on conflict (user_id, other_id) do update
           set expires_at = excluded.expires_at, proof = excluded.proof, proven = excluded.proven
        returning id
        """,
        id=proposal_id,
        user_id=user_id,
        other_id=other_id,
        proof=proof.value,
        proven=proven,
        now=tx.now,
        expires_at=tx.now + OPEN_FOR,
    )
    return proposal_id if row is None else MergeProposalId(row["id"])


async def find(reader: Reader, proposal_id: MergeProposalId, user_id: UserId) -> MergeProposal | None:
    """Return a proposal of this user."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from account_merges where id = :id and user_id = :user_id", id=proposal_id, user_id=user_id
    )
    return _proposal(row) if row else None


async def lock(tx: Transaction, proposal_id: MergeProposalId, user_id: UserId) -> MergeProposal | None:
    """Like ``find``, and locks the row against other transactions."""
    row = await tx.fetch_one(
        f"update account_merges set expires_at = expires_at where id = :id and user_id = :user_id returning {_COLUMNS}",
        id=proposal_id,
        user_id=user_id,
    )
    return _proposal(row) if row else None


async def complete(tx: Transaction, proposal_id: MergeProposalId, joined: tuple[LabelledCount, ...]) -> None:
    """Mark the proposal as merged and keep the result for its user to read."""
    encoded = msgspec.json.encode([(one.key, one.number) for one in joined]).decode()
    await tx.execute(
        "update account_merges set settled_at = :now, joined = :joined, proven = '' where id = :id",
        id=proposal_id,
        joined=encoded,
        now=tx.now,
    )


async def drop(tx: Transaction, proposal_id: MergeProposalId, user_id: UserId) -> bool:
    """Delete a proposal that was not merged, along with its proof."""
    dropped = await tx.execute(
        "delete from account_merges where id = :id and user_id = :user_id and settled_at is null",
        id=proposal_id,
        user_id=user_id,
    )
    return dropped == 1


async def forget(tx: Transaction, before: Instant) -> int:
    """Delete expired proposals, and those that were merged before an instant."""
    return await delete_some(
        tx,
        "account_merges",
        "(settled_at is null and expires_at <= :now) or settled_at < :before",
        now=tx.now,
        before=before,
    )


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Move the results of earlier merges to the remaining user. Unconfirmed proposals are deleted and must be proven
    again.
    """
    await tx.execute(
        "delete from account_merges where settled_at is null and user_id = :from_user and other_id is not null",
        from_user=from_user,
    )
    await hand_over(tx, "account_merges", "user_id", from_user, to_user)
    await tx.execute("update account_merges set other_id = null where other_id = :from_user", from_user=from_user)
    await hand_over(tx, "merged_accounts", "into_user_id", from_user, to_user)


async def note_merged(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Record for the erasure ledger that an account was merged, because a restored backup still has both accounts."""
    await tx.execute(
        "insert into merged_accounts (user_id, into_user_id, merged_at) values (:from_user, :to_user, :now)"
        " on conflict (user_id) do update set into_user_id = excluded.into_user_id, merged_at = excluded.merged_at",
        from_user=from_user,
        to_user=to_user,
        now=tx.now,
    )


async def merged(reader: Reader, limit: int) -> list[tuple[UserId, UserId]]:
    """Return merged accounts that may not be in the ledger yet, oldest first, as pairs of (merged account, remaining
    account).
    """
    rows = await reader.fetch(
        "select user_id, into_user_id from merged_accounts order by merged_at, user_id limit :limit", limit=limit
    )
    return [(UserId(row["user_id"]), UserId(row["into_user_id"])) for row in rows]


async def forget_merged(tx: Transaction, user_ids: Sequence[UserId]) -> None:
    """Delete these entries once the ledger has them."""
    if not user_ids:
        return
    await tx.execute("delete from merged_accounts where user_id in :ids", ids=list(user_ids))


def _proposal(row: Row) -> MergeProposal:
    joined = msgspec.json.decode(row["joined"], type=list[tuple[str, int]])
    return MergeProposal(
        id=MergeProposalId(row["id"]),
        user_id=UserId(row["user_id"]),
        other_id=UserId(row["other_id"]) if row["other_id"] else None,
        proof=OwnershipProof(row["proof"]),
        proven=row["proven"],
        created_at=Instant(row["created_at"]),
        expires_at=Instant(row["expires_at"]),
        settled_at=None if row["settled_at"] is None else Instant(row["settled_at"]),
        joined=tuple(
            LabelledCount(key, number, _HOLDING_LABELS[key]) for key, number in joined if key in _HOLDING_LABELS
        ),
    )


async def forget_old_proposals(db: Database) -> int:
    """Delete expired proposals and old merge results. Return how many."""
    return await change_in_pages(db, lambda tx: forget(tx, Instant(tx.now - KEPT_FOR)))
