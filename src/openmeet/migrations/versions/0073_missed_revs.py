"""Each of the revs before which something in a repository was missed, until it is read: what nobody announced was done by one of
them at the latest.
"""

from groundwork.database.revision import apply

revision = "0073"
down_revision = "0072"

SQL = "create table missed_revs (did text not null, rev text not null, primary key (did, rev));"


def upgrade() -> None:
    apply(SQL)
