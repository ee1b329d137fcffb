"""The day on which somebody was last here, signed in: who reads for months is not absent."""

from groundwork.database.revision import apply

revision = "0032"
down_revision = "0031"

SQL = """
alter table users add column seen_at bigint;
"""


def upgrade() -> None:
    apply(SQL)
