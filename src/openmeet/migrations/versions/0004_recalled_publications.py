"""What people took their consent back for, and what others deleted, marked on the promise itself."""

from groundwork.database.revision import apply

revision = "0004"
down_revision = "0003"

SQL = """
alter table publications add column is_recalled integer not null default 0 check (is_recalled in (0, 1));
alter table publications add column was_lost integer not null default 0 check (was_lost in (0, 1));
"""


def upgrade() -> None:
    apply(SQL)
