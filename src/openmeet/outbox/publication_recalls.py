"""Records that people take back from the network: they are marked, retracted by the payer, and not sent until somebody allows it."""

from groundwork.database.transaction import Transaction
from groundwork.outbox.bell import ring
from openmeet.outbox import publications
from openmeet.outbox.publications import TAKE_ON, Kind

# Whatever is on its way may still arrive, or come back as an echo or with somebody's edit: the mark sees to it that it is
# looked at again then, and nothing marked is sent.
_RECALL = """
    update publications
       set is_recalled = 1, changed_at = :now,
           state = case when uri is not null and state in ('published', 'refused', 'conflicted', 'retrying', 'blocked') then 'due'
                        else state end,
           due_at = case when uri is not null and state in ('published', 'refused', 'conflicted', 'retrying', 'blocked') then :now
                         else due_at end
"""
RECALL_ALL_OF = f"{_RECALL} where user_id = :user_id"
RECALL = f"{_RECALL} where kind = :kind and subject_id = :subject_id"

ALLOW_ALL_OF = "update publications set is_recalled = 0 where user_id = :user_id and is_recalled = 1"


async def recall(tx: Transaction, *, kind: Kind, subject_id: str) -> bool:
    """The person takes this one back from the network; it is not sent again until ``publications.try_again``, or a new yes to all."""
    tx.after_commit(ring)
    return await tx.execute(RECALL, kind=kind, subject_id=subject_id, now=tx.now) == 1


async def recall_record(
    tx: Transaction, *, kind: Kind, subject_id: str, user_id: str, revision: int, record: tuple[str, str]
) -> None:
    """``recall`` of a record (DID and uri) that was not written from here, and about which nothing may have been promised yet."""
    await publications.owe(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision)
    did, uri = record
    await tx.execute(TAKE_ON, kind=kind, subject_id=subject_id, did=did, uri=uri)
    await recall(tx, kind=kind, subject_id=subject_id)
    await publications.look_again(tx, kind=kind, subject_ids=[subject_id])


async def recall_all_of(tx: Transaction, user_id: str) -> int:
    """The person withdrew their consent: what is published is looked at again and taken back, what is not is not sent."""
    tx.after_commit(ring)
    return await tx.execute(RECALL_ALL_OF, user_id=user_id, now=tx.now)


async def allow_all_of(tx: Transaction, user_id: str) -> int:
    """The person agrees (again): nothing of theirs is recalled any more."""
    return await tx.execute(ALLOW_ALL_OF, user_id=user_id)
