"""Reseal columns with the newest sealing key, so that an older key can be removed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Database, Writer
from groundwork.sealing import CannotUnseal, Sealer

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values, with the column that identifies the row and the purpose for which the values were
    sealed.
    """

    table: str
    name: str
    column: str
    purpose: Callable[[str], str]


async def reseal(
    db: Database, sealer: Sealer, columns: Sequence[SealedColumn], *, passes_over_lost: bool = False
) -> tuple[int, int]:
    """Reseal the values that were sealed with an older key. Returns how many values exist and how many were stale.

    It can be repeated at any time, also while programs with both keys are running. Raises CannotUnseal for a value
    whose key is missing, unless such values are skipped.
    """
    seen = stale = 0
    for kind in columns:
        after = ""
        while True:
            keys, resealed = await db.write(lambda w, k=kind, a=after: _page(w, sealer, k, a, passes_over_lost))  # type: ignore[misc]  # defaults bind now
            seen += len(keys)
            stale += resealed
            if len(keys) < _AT_ONCE:
                break
            after = keys[-1]
    return seen, stale


def _page(w: Writer, sealer: Sealer, kind: SealedColumn, after: str, passes_over_lost: bool) -> tuple[list[str], int]:
    table, name, column = kind.table, kind.name, kind.column
    rows = w.fetch(
        f"select {name} as name, {column} as sealed from {table}"
        f" where {name} > :after and {column} is not null order by {name} limit :limit",
        after=after,
        limit=_AT_ONCE,
    )
    resealed = 0
    for row in rows:
        if not sealer.is_stale(row["sealed"]):
            continue
        sealed_for = kind.purpose(row["name"])
        try:
            new_sealed = sealer.seal(sealer.unseal(row["sealed"], sealed_for), sealed_for)
        except CannotUnseal:
            if passes_over_lost:
                continue
            raise
        resealed += 1
        w.execute(
            # Another process might have given the row a new value since.
            f"update {table} set {column} = :fresh where {name} = :name and {column} = :sealed",
            fresh=new_sealed,
            name=row["name"],
            sealed=row["sealed"],
        )
    return [row["name"] for row in rows], resealed
