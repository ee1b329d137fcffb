"""Switching a flag: what stands, and who did it, in one transaction."""

from groundwork.database.transaction import Transaction
from openmeet.feature_flags import queries
from openmeet.feature_flags.model import DEFAULTS, Flag


async def switch(tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str = "") -> bool:
    """Switch one flag; False, and nothing noted, where it stood so already.

    Who reads through a ``Switchboard`` sees it within ``switchboard.MAX_AGE``.
    """
    if DEFAULTS[flag] is is_on and not await queries.is_switched(tx, flag):
        return False
    if not await queries.switch(tx, flag, is_on=is_on):
        return False
    await queries.note(tx, flag, is_on=is_on, changed_by=changed_by, why=why)
    return True
