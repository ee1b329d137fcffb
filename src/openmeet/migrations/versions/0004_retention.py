"""Indexes for the retention job: deleted rows that still have content, and answers with texts."""

from groundwork.database.revision import execute

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute("create index events_to_purge on events (deleted_at) where deleted_at is not null and slug <> id")
    execute("create index events_removed_to_purge on events (removed_at) where removed_at is not null and slug <> id")
    execute(
        "create index event_series_to_purge on event_series (deleted_at) where deleted_at is not null and slug <> id"
    )
    execute("create index groups_to_purge on groups (deleted_at) where deleted_at is not null and slug <> id")
    execute(
        "create index attendances_written on attendances (answered_at)"
        " where guest_names <> '[]' or replies <> '{}' or reply_words <> '{}'"
    )
