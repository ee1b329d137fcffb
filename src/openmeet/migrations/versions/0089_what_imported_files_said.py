"""What a file said of an event when it was imported last; empty for what was imported before this was kept."""

from groundwork.database.revision import apply

revision = "0089"
down_revision = "0088"

SQL = """
alter table imported_events add column said text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
