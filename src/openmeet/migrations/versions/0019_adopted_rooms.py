"""Rooms of an older installation that go on as the Matrix side of a chat: what was said there before is not read."""

from groundwork.database.revision import execute

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    execute("alter table chat_rooms add column matrix_from bigint")
