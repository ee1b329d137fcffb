"""Call the time of an account's last identity check what it is. The column was named after looking at it."""

from groundwork.database.revision import execute

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    execute("drop index accounts_to_look_at")
    execute("alter table accounts rename column looked_at to identity_checked_at")
    execute("create index accounts_to_recheck on accounts (identity_checked_at, did)")
