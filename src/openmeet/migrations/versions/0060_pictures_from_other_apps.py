"""The picture that another app put into the record of a group made here; and the revision that changed the group's own last.

While ``picture_revision`` is greater than the revision that was sent, a picture was chosen or taken away here since.
"""

from groundwork.database.revision import apply

revision = "0060"
down_revision = "0059"

SQL = """
alter table groups add column record_avatar text check (record_avatar is null or picture_key is null);
alter table groups add column picture_revision bigint not null default 0;
"""


def upgrade() -> None:
    apply(SQL)
