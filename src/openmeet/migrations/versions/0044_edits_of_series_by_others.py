"""What somebody else than its owner changed at a series waits for the owner on the network."""

from groundwork.database.revision import apply

revision = "0044"
down_revision = "0043"

SQL = """
alter table event_series add column awaits_owner integer not null default 0 check (awaits_owner in (0, 1));
"""


def upgrade() -> None:
    apply(SQL)
