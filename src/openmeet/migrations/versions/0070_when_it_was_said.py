"""As of which rev a version of a record was first heard, and what was known before it: a reading that finds it again is of a later
rev, and it says nothing anew.

Empty in rows of before: there the rev as of which it was last seen is all that is known.
"""

from groundwork.database.revision import apply

revision = "0070"
down_revision = "0069"

SQL = """
alter table records add column said_rev text not null default '';
alter table records add column after_rev text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
