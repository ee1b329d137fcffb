"""Sealed values under the newest sealing key, so that an older one can be dropped."""

from collections.abc import Callable
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors.totp import purpose_of as totp_purpose
from aurora_locus.keys.server_keys import purpose_of as server_purpose
from aurora_locus.keys.signing_keys import purpose_of as signing_purpose
from aurora_locus.moving.moves import purpose_of as move_purpose
from groundwork.database.transaction import Database, Writer
from groundwork.sealing import Sealer

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed values: the column that names the row, and what its value was sealed for."""

    table: str
    name: str
    column: str
    purpose: Callable[[str], str]


# Every one of them.
SEALED: tuple[Sealed, ...] = (
    Sealed("signing_keys", "did_key", "sealed", signing_purpose),
    Sealed("server_keys", "purpose", "sealed", server_purpose),
    Sealed("totp_secrets", "did", "sealed", lambda did: totp_purpose(Did(did))),
    Sealed("moves", "did", "session", move_purpose),
)


async def reseal(db: Database, sealer: Sealer) -> tuple[int, int]:
    """Seal everything again that another key than the newest sealed; how many values there are, how many were stale.

    May be run again at any time, and beside a server that knows both keys. Raises CannotUnseal.
    """
    seen = stale = 0
    for kind in SEALED:
        after = ""
        while True:
            keys, resealed = await db.write(lambda w, k=kind, a=after: _page(w, sealer, k, a))  # type: ignore[misc]  # defaults bind now
            seen += len(keys)
            stale += resealed
            if len(keys) < _AT_ONCE:
                break
            after = keys[-1]
    return seen, stale


def _page(w: Writer, sealer: Sealer, kind: Sealed, after: str) -> tuple[list[str], int]:
    table, name, column = kind.table, kind.name, kind.column
    rows = w.fetch(
        f"select {name} as name, {column} as sealed from {table}"
        f" where {name} > :after and {column} is not null order by {name} limit :limit",
        after=after,
        limit=_AT_ONCE,
    )
    stale = [row for row in rows if sealer.is_stale(row["sealed"])]
    for row in stale:
        sealed_for = kind.purpose(row["name"])
        w.execute(
            # Another process may have given the row a new value since.
            f"update {table} set {column} = :fresh where {name} = :name and {column} = :sealed",
            fresh=sealer.seal(sealer.unseal(row["sealed"], sealed_for), sealed_for),
            name=row["name"],
            sealed=row["sealed"],
        )
    return [row["name"] for row in rows], len(stale)
