"""All SQL of flags and their changes."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.fresh_id import new_id
from openmeet.feature_flags.model import DEFAULTS, Change, Flag, Switches

# Changes that operators are shown.
SHOWN_CHANGES = 50

SWITCHED = "select name, is_on from feature_flags order by name"

# The guard is the statement's own: two who switch the same way at once leave one change.
SWITCH = """
    insert into feature_flags (name, is_on, changed_at) values (:name, :is_on, :now)
    on conflict (name) do update set is_on = excluded.is_on, changed_at = excluded.changed_at
     where feature_flags.is_on <> excluded.is_on
"""

NOTE = """
    insert into feature_flag_changes (id, name, is_on, changed_by, why, changed_at)
    values (:id, :name, :is_on, :changed_by, :why, :now)
"""

CHANGES = """
    select name, is_on, changed_by, why, changed_at from feature_flag_changes order by changed_at desc, id desc limit :limit
"""


async def switches(reader: Reader) -> Switches:
    """How every flag stands now. A row of a flag that this version does not know is passed over."""
    standing = dict(DEFAULTS)
    for row in await reader.fetch(SWITCHED):
        if row["name"] in _NAMES:
            standing[Flag(row["name"])] = bool(row["is_on"])
    return Switches(frozenset(flag for flag, is_on in standing.items() if is_on))


async def is_switched(reader: Reader, flag: Flag) -> bool:
    """Whether somebody has ever switched it."""
    return await reader.fetch_one("select 1 from feature_flags where name = :name", name=flag) is not None


async def switch(tx: Transaction, flag: Flag, *, is_on: bool) -> bool:
    """Store how it stands; False where it stood so already."""
    return await tx.execute(SWITCH, name=flag, is_on=int(is_on), now=tx.now) == 1


async def note(tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str) -> None:
    """Add the line that stays."""
    await tx.execute(NOTE, id=new_id(tx.now), name=flag, is_on=int(is_on), changed_by=changed_by, why=why, now=tx.now)


async def changes(reader: Reader, *, limit: int = SHOWN_CHANGES) -> Sequence[Change]:
    """The newest changes first."""
    return [
        Change(Flag(row["name"]), bool(row["is_on"]), row["changed_by"], row["why"], Instant(row["changed_at"]))
        for row in await reader.fetch(CHANGES, limit=limit)
        if row["name"] in _NAMES
    ]


_NAMES = frozenset(flag.value for flag in Flag)
