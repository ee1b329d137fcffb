"""Withdrawals: a person no longer wants one record published, or withdraws their consent to all of them. The publisher
then retracts the records.
"""

from groundwork.database.transaction import Transaction
from groundwork.outbox.wakeup import wake_dispatchers
from openmeet.outbox.publication_columns import RECHECK_IF_LEASED
from openmeet.outbox.publications import (
    STATE_GRAPH,
    PublicationKind,
    PublicationState,
    create_for_foreign_record,
    make_due,
)

_State = PublicationState

# The states of rows whose record is retracted at once, if there is one.
_RETRACTED_AT_ONCE = STATE_GRAPH.sql_sources_of(
    _State.DUE,
    only=(_State.PUBLISHED, _State.WAITING, _State.REFUSED, _State.CONFLICTED, _State.RETRYING, _State.BLOCKED),
)

# A write in flight may still arrive, or come back unchanged or with somebody's edit. In that case, the mark
# (``is_withdrawn``) makes the publisher check the row again. Rows with the mark are never sent.
_SET_WITHDRAWN = f"""
    update publications
       set is_withdrawn = 1, changed_at = :now, {RECHECK_IF_LEASED},
           state = case when uri is not null and state in ({_RETRACTED_AT_ONCE}) then 'due'
                        else state end,
           due_at = case when uri is not null and state in ({_RETRACTED_AT_ONCE}) then :now
                         else due_at end
"""
_WITHDRAW_ALL_OF = f"{_SET_WITHDRAWN} where user_id = :user_id"
_WITHDRAW = f"{_SET_WITHDRAWN} where kind = :kind and subject_id = :subject_id"
# The URI is stored before the record is written, and removed once it is deleted.
_MAY_EXIST_REMOTELY = (
    "select 1 as found from publications where kind = :kind and subject_id = :subject_id and uri is not null"
)

_UNDO_WITHDRAWALS_OF = "update publications set is_withdrawn = 0 where user_id = :user_id and is_withdrawn = 1"


async def withdraw(tx: Transaction, *, kind: PublicationKind, subject_id: str) -> bool:
    """Withdraw a record because its owner asked for it. It is not sent again until ``publications.retry_now`` is called
    or the owner consents to publishing again. Returns whether there is a copy to delete, or one that may be written now.
    """
    tx.after_commit(wake_dispatchers)
    await tx.execute(_WITHDRAW, kind=kind, subject_id=subject_id, now=tx.now)
    return await tx.fetch_one(_MAY_EXIST_REMOTELY, kind=kind, subject_id=subject_id) is not None


async def withdraw_foreign_record(
    tx: Transaction, *, kind: PublicationKind, subject_id: str, user_id: str, revision: int, record_uri: str
) -> None:
    """Like ``withdraw``, for a record that another app wrote and that may have no publication yet."""
    await create_for_foreign_record(tx, kind, subject_id, user_id=user_id, revision=revision, record_uri=record_uri)
    await withdraw(tx, kind=kind, subject_id=subject_id)
    await make_due(tx, kind=kind, subject_ids=[subject_id])


async def withdraw_all_of(tx: Transaction, user_id: str) -> int:
    """Withdraw all of a person's records, because they withdrew their consent. Returns the number of rows."""
    tx.after_commit(wake_dispatchers)
    return await tx.execute(_WITHDRAW_ALL_OF, user_id=user_id, now=tx.now)


async def undo_withdrawals_of(tx: Transaction, user_id: str) -> int:
    """Undo ``withdraw_all_of``, and every withdrawal of a single record, because the person has consented again. Returns
    the number of rows.
    """
    return await tx.execute(_UNDO_WITHDRAWALS_OF, user_id=user_id)
