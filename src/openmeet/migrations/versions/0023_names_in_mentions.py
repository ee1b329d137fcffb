"""Store the name by which a text mentions a person, so that the mention still works after the person changes their
name.
"""

from groundwork.database.revision import execute

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    execute("alter table chat_mentions add column name text not null default ''")
