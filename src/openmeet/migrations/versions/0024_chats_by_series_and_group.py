"""Find the chats of a series and of a group, direct ones too: every page of somebody with attendances looks for them."""

from groundwork.database.revision import execute

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    execute("create index chat_rooms_by_series on chat_rooms (series_id) where series_id is not null")
    execute("create index chat_rooms_by_group on chat_rooms (group_id) where group_id is not null")
