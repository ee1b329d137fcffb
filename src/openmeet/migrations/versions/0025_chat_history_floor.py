"""Store from which message newcomers may read a chat whose history was once closed to them, and which chats were closed
automatically after some time.
"""

from groundwork.database.revision import execute

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    execute("alter table chat_rooms add column history_floor bigint not null default 0")
    execute("create index chat_rooms_closed_by_clock on chat_rooms (id) where closed_by = 'clock'")
