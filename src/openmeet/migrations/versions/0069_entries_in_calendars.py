"""Whether the calendar entry of an answer was mailed, and by which mail it was ended: an end is mailed for what was mailed, once.

Who goes by now is taken to have it.
"""

from groundwork.database.revision import apply

revision = "0069"
down_revision = "0068"

SQL = """
alter table attendances add column calendar_entry text not null default '';
update attendances set calendar_entry = 'stands' where status in ('attending', 'attended');
"""


def upgrade() -> None:
    apply(SQL)
