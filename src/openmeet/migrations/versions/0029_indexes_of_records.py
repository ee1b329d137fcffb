"""Find records by what they are about, not by their state.

Most are in the same state. SQLite has no statistics that would tell it so, and read all applied records for each new event.
"""

from groundwork.database.revision import execute

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    execute("drop index records_by_standing")
    # Only a query that repeats the condition can use it, which is the one that counts.
    execute("create index records_counted on records (standing) where standing <> ''")
    execute("create index records_raw on records (uri) where standing = 'raw'")
    execute("create index records_parked on records (first_seen_at) where standing = 'parked'")
