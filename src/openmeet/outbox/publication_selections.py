"""Enqueue the publications of all subjects that a query selects, in one statement and without loading a row."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox.wakeup import wake_dispatchers
from openmeet.outbox.publications import IF_NEWER, INSERT_INTO, PublicationKind, recheck_superseded

_ENQUEUE: Final = f"""
    {INSERT_INTO}
    select cast(:kind as text), chosen.id, chosen.user_id, 'due', chosen.revision, cast(:now as bigint), cast(:now as bigint),
           cast(:now as bigint)
      from ({{}}) as chosen where 1 = 1
    {IF_NEWER}
"""


async def enqueue_selected(tx: Transaction, *, kind: PublicationKind, subselect: str) -> None:
    """Like ``publications.enqueue``, for many subjects. ``subselect``: a trusted SQL select of ``id``, ``user_id`` and
    ``revision``, ordered by id.
    """
    tx.after_commit(wake_dispatchers)
    await tx.execute(_ENQUEUE.format(subselect), kind=kind, now=tx.now)
    await recheck_superseded(tx, kind, f"(select chosen.id from ({subselect}) as chosen where chosen.revision > 1)")
