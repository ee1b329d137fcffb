"""A group that is taken off the network keeps its record's address; the repository does not have that record any more."""

from groundwork.database.revision import apply

revision = "0090"
down_revision = "0089"

SQL = """
alter table group_former_records add column is_there integer not null default 1 check (is_there in (0, 1));
"""


def upgrade() -> None:
    apply(SQL)
