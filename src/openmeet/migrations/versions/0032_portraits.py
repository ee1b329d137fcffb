"""Profile pictures that people upload."""

from groundwork.database.revision import execute

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    execute("alter table users add column portrait_key text")
    # A picture is served only while somebody uses it, so it is looked up by its key.
    execute("create unique index users_portrait_key on users (portrait_key) where portrait_key is not null")
