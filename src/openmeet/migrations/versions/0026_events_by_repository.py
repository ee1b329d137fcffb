"""Coming events of the repositories that a group follows are found by their start."""

from groundwork.database.revision import apply

revision = "0026"
down_revision = "0025"

SQL = """
create index events_of_repository_by_start on events (record_did, starts_at, id) where record_did is not null;
"""


def upgrade() -> None:
    apply(SQL)
