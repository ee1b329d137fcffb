"""Rename columns of publications."""

from groundwork.database.revision import execute

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    execute("alter table publications rename column rounds to merge_rounds")
    execute("alter table publications rename column is_recalled to is_withdrawn")
    execute("alter table publications rename column looks_again to needs_recheck")
