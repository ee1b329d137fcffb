"""Names of dates that were left, found by the name: whatever has it next is told with a higher number."""

from groundwork.database.revision import apply

revision = "0079"
down_revision = "0078"

SQL = """
create index event_former_places_by_name on event_former_places (series_id, original_date);
"""


def upgrade() -> None:
    apply(SQL)
