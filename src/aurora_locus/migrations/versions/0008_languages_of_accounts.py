"""Store the language of each account, for e-mails that its owner did not request."""

from groundwork.database.revision import execute

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    execute("alter table accounts add column language text not null default ''")
