"""When an invitation to all dates of a series ended because a host rejected the person, so that this can be undone."""

from groundwork.database.revision import execute

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    execute("alter table event_series_invitations add column ended_at bigint")
