"""The revision of an RSVP that each entry of its history is about, which gives the order of the entries. 0 for entries
from before, which are in the order of their ids.
"""

from groundwork.database.revision import execute

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    execute("alter table attendance_history add column revision bigint not null default 0")
    execute("create index attendance_history_by_revision on attendance_history (attendance_id, revision, id)")
    execute("drop index attendance_history_by_answer")
