"""Mentions of many people at once in chats; and counts of the pictures from Matrix that a room tried to fetch within a
day, whether or not they could be shown.
"""

from groundwork.database.revision import execute

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    execute("alter table chat_mentions add column is_called integer not null default 0")
    execute("alter table chat_rooms add column matrix_pictures_tried integer not null default 0")
    execute("alter table chat_rooms add column matrix_pictures_since bigint not null default 0")
