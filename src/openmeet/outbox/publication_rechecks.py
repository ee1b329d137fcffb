"""Make all publications of a person or of a kind due, because something that the decisions about them depend on has
changed.

Few are made due at once, many in pages, by a job (``bulk_changes``). In both cases, the handlers that hold one of them
decide again before they write.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.outbox.wakeup import wake_dispatchers
from openmeet.outbox import bulk_changes, publications
from openmeet.outbox.bulk_changes import BulkChange
from openmeet.outbox.publication_columns import MAYBE_LEASED
from openmeet.outbox.publications import DECIDED, DUE_OR_RECHECK, PublicationKind

_UNPUBLISHED: Final = f"""(state in ('withheld', 'waiting', 'retrying', 'blocked') or {MAYBE_LEASED}
            or (state = 'retracted' and was_deleted_elsewhere = 0))"""
# A new decision about a kind brings back no record that was retracted, refused or is in conflict.
_HELD_OR_PUBLISHED: Final = f"(state in ('withheld', 'waiting', 'published') or {MAYBE_LEASED})"

# A publication's kind and subject are its key, so they are in one text here.
_KEYS: Final = "select kind || ' ' || subject_id as id, kind || ' ' || subject_id as key from publications"

_BEGIN_ANEW: Final = f"""attempts = case when {MAYBE_LEASED} then attempts else 0 end,
           reason = case when {MAYBE_LEASED} then reason else '' end"""


async def make_unpublished_due_of(tx: Transaction, user_id: str) -> None:
    """Make a person's unpublished records due, because they consented, connected an account, signed in again or are no
    longer hidden.
    """
    await _apply_to_person(tx, UNPUBLISHED_OF_PERSON, user_id)


async def make_all_due_of(tx: Transaction, user_id: str) -> None:
    """Make all publications of a person due, because their publishing settings changed."""
    await _apply_to_person(tx, ALL_OF_PERSON, user_id)


async def make_kind_due(tx: Transaction, kind: PublicationKind) -> None:
    """Make all publications of a kind due, because a flag was switched on which the decision or the record depends."""
    tx.after_commit(wake_dispatchers)
    if not await bulk_changes.apply(tx, ALL_OF_KIND, [kind.value]):
        leased = (
            f"select subject_id from publications where kind = :kind and leased_until is not null and {MAYBE_LEASED}"
        )
        await publications.recheck_leased(tx, kind=kind, subselect=leased)


async def _apply_to_person(tx: Transaction, bulk_change: BulkChange, user_id: str) -> None:
    tx.after_commit(wake_dispatchers)
    if not await bulk_changes.apply(tx, bulk_change, [user_id]):
        await tx.execute(
            f"update publications set needs_recheck = 1 where user_id = :user_id and {MAYBE_LEASED}", user_id=user_id
        )


async def _make_unpublished_due(tx: Transaction, keys: Sequence[str]) -> None:
    await _make_due(tx, keys, f"{DUE_OR_RECHECK}, {_BEGIN_ANEW}", _UNPUBLISHED)


async def _make_all_due(tx: Transaction, keys: Sequence[str]) -> None:
    await _make_due(tx, keys, DUE_OR_RECHECK, DECIDED)


async def _make_of_kind_due(tx: Transaction, keys: Sequence[str]) -> None:
    await _make_due(tx, keys, DUE_OR_RECHECK, _HELD_OR_PUBLISHED)


async def _make_due(tx: Transaction, keys: Sequence[str], changes: str, condition: str) -> None:
    """Change these publications, given as kind and subject, if they still satisfy the condition."""
    tx.after_commit(wake_dispatchers)
    subjects_by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        kind, _, subject_id = key.partition(" ")
        subjects_by_kind[kind].append(subject_id)
    for kind, subject_ids in subjects_by_kind.items():
        await tx.execute(
            f"update publications set {changes} where kind = :kind and subject_id in :subject_ids and {condition}",
            kind=kind,
            subject_ids=subject_ids,
            now=tx.now,
        )


UNPUBLISHED_OF_PERSON: Final = BulkChange(
    "unpublished_of_person", f"{_KEYS} where user_id {{owner}} and {_UNPUBLISHED}", _make_unpublished_due
)
ALL_OF_PERSON: Final = BulkChange("all_of_person", f"{_KEYS} where user_id {{owner}} and {DECIDED}", _make_all_due)
ALL_OF_KIND: Final = BulkChange(
    "all_of_kind",
    "select kind || ' ' || subject_id as id, subject_id as key from publications"
    f" where kind {{owner}} and {_HELD_OR_PUBLISHED}",
    _make_of_kind_due,
)
