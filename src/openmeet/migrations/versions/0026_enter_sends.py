"""Each person's choice whether Enter sends a chat message."""

from groundwork.database.revision import execute

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    execute("alter table users add column enter_sends integer not null default 0 check (enter_sends in (0, 1))")
