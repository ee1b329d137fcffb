"""A group that is read may go on from another one: which, its record says."""

from groundwork.database.revision import apply

revision = "0052"
down_revision = "0051"

SQL = """
alter table groups add column predecessor_uri text;
create index groups_by_predecessor on groups (predecessor_uri) where predecessor_uri is not null;
"""


def upgrade() -> None:
    apply(SQL)
