"""Index records by what they are about instead of by their state.

Most records are in the same state. SQLite has no statistics that would show this, and so it read all applied records
for each new event.
"""

from groundwork.database.revision import execute

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    execute("drop index records_by_standing")
    # Only a query that repeats this condition can use the index. ``COUNT_BY_STATE`` in ``network/records/seen.py``
    # does.
    execute("create index records_counted on records (standing) where standing <> ''")
    execute("create index records_raw on records (uri) where standing = 'raw'")
    execute("create index records_parked on records (first_seen_at) where standing = 'parked'")
