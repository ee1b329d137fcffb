"""A publication that is being sent remembers that what it depends on has changed meanwhile."""

from groundwork.database.revision import apply

revision = "0056"
down_revision = "0055"

SQL = """
alter table publications add column looks_again integer not null default 0 check (looks_again in (0, 1));
"""


def upgrade() -> None:
    apply(SQL)
