"""How a person was named in the text that mentions them, so that the text stays about them when they change their name."""

from groundwork.database.revision import execute

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    execute("alter table chat_mentions add column name text not null default ''")
