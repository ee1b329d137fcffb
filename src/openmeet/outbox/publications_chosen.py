"""Enqueue the records of any number of subjects with one statement, without loading a row."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox.wakeup import wake_dispatchers
from openmeet.outbox.publications import IF_NEWER, INTO, PublicationKind, look_at_former

_ENQUEUE: Final = f"""
    {INTO}
    select cast(:kind as text), chosen.id, chosen.user_id, 'due', chosen.revision, cast(:now as bigint), cast(:now as bigint),
           cast(:now as bigint)
      from ({{}}) as chosen where 1 = 1
    {IF_NEWER}
"""


async def enqueue_selected(tx: Transaction, *, kind: PublicationKind, chosen: str) -> None:
    """``publications.enqueue`` for whatever ``chosen`` names: a select of ours of ``id``, ``user_id`` and ``revision``,
    in order of ids.
    """
    tx.after_commit(wake_dispatchers)
    await tx.execute(_ENQUEUE.format(chosen), kind=kind, now=tx.now)
    await look_at_former(tx, kind, f"(select chosen.id from ({chosen}) as chosen where chosen.revision > 1)")
