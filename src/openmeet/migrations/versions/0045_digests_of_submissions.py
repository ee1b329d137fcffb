"""What a submission said, of groups and series as of events: its key with something else in it is refused, however long after."""

from groundwork.database.revision import apply

revision = "0045"
down_revision = "0044"

SQL = """
alter table groups add column submission_digest bytea;
alter table event_series add column submission_digest bytea;
"""


def upgrade() -> None:
    apply(SQL)
