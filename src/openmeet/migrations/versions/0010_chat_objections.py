"""Indexes for objections by authors, and for moderation decisions about a chat message."""

from groundwork.database.revision import execute

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute("create index chat_acts_objected on chat_acts (at, id) where act = 'objected'")
    execute("create index chat_acts_of_message on chat_acts (message_id) where message_id is not null")
