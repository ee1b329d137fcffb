"""Where the record of a series stands, here or in the repository that it was read from."""

from groundwork.database.revision import apply

revision = "0040"
down_revision = "0039"

SQL = """
alter table event_series add column record_uri text;
create unique index event_series_by_record on event_series (record_uri) where record_uri is not null;
"""


def upgrade() -> None:
    apply(SQL)
