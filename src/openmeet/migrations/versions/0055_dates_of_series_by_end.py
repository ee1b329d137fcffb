"""The next date of a series is found without reading those that are over: for lists that show a series once."""

from groundwork.database.revision import apply

revision = "0055"
down_revision = "0054"

SQL = """
create index events_of_series_by_end on events (series_id, over_at, id) where series_id is not null;
"""


def upgrade() -> None:
    apply(SQL)
