"""The time of an interest is that of the author's newest record, not of the first one."""

from groundwork.database.revision import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute("alter table interests rename column created_at to seen_at")
