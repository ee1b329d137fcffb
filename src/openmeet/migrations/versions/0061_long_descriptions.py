"""Descriptions that were read from the network before there was a limit are cut to it, as those that are read now (``shortened``)."""

from groundwork.database.revision import apply

revision = "0061"
down_revision = "0060"

# What our own forms take; a record has the rest.
_LIMIT = 20_000
# What ``str.rstrip`` takes away, as far as people write it.
_SPACES = " \t\n\r"

_CUT = f"rtrim(substr(description, 1, {_LIMIT - 1}), '{_SPACES}') || '…'"

SQL = f"""
update events set description = {_CUT} where origin = 'network' and length(description) > {_LIMIT};
update event_series set description = {_CUT} where is_read_only = 1 and length(description) > {_LIMIT};
"""


def upgrade() -> None:
    apply(SQL)
