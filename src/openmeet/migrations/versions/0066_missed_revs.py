"""Up to which rev a repository must be read, where something in it was missed; empty where nothing was."""

from groundwork.database.revision import apply

revision = "0066"
down_revision = "0065"

SQL = "alter table repositories add column missed_rev text not null default '';"


def upgrade() -> None:
    apply(SQL)
