"""Who hosts every date of a series beside its author, also later ones."""

from groundwork.database.revision import apply

revision = "0035"
down_revision = "0034"

SQL = """
alter table event_hosts add column is_for_series integer not null default 0 check (is_for_series in (0, 1));
"""


def upgrade() -> None:
    apply(SQL)
