"""Roles as records have them: one table, both ways.

Only those who are in have a value. Who asked, was declined, left or was banned is in no record: nobody said yes to being named so.
"""

from collections.abc import Mapping
from typing import Final

from openmeet.domain.groups.model import INSIDE, Role
from openmeet.network.records.collections import GROUP
from openmeet.network.records.reader import token_of

VALUE_OF: Final[Mapping[Role, str | None]] = {
    Role.OWNER: f"{GROUP}#owner",
    Role.ADMIN: f"{GROUP}#admin",
    Role.MODERATOR: f"{GROUP}#moderator",
    Role.MEMBER: f"{GROUP}#member",
    Role.PENDING: None,
    Role.DECLINED: None,
    Role.LEFT: None,
    Role.BANNED: None,
}

_BY_WORD: Final = {role.value: role for role in INSIDE}


def role_of(value: object) -> Role:
    """The role that a record names. What is not known gives no more than belonging to the group."""
    return _BY_WORD.get(token_of(value), Role.MEMBER) if isinstance(value, str) else Role.MEMBER
