"""Where the record stood that was taken back last: whoever brings it back brings that of the same event.

Empty in rows of before: what comes back of those is an event of its author's.
"""

from groundwork.database.revision import apply

revision = "0071"
down_revision = "0070"

SQL = "alter table publications add column taken_back_uri text;"


def upgrade() -> None:
    apply(SQL)
