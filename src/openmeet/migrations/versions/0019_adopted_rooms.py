"""Matrix rooms of an older installation that are taken over as mirrors of our chats. Messages from before that are not
read.
"""

from groundwork.database.revision import execute

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    execute("alter table chat_rooms add column matrix_from bigint")
