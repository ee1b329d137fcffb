"""Index chats by series and by group, direct chats included: every page queries them for a person with attendances."""

from groundwork.database.revision import execute

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    execute("create index chat_rooms_by_series on chat_rooms (series_id) where series_id is not null")
    execute("create index chat_rooms_by_group on chat_rooms (group_id) where group_id is not null")
