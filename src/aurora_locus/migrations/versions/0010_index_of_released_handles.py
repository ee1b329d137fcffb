"""Find the released handles of an account, of which only the latest are reserved."""

from groundwork.database.revision import execute

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute("create index released_handles_by_account on released_handles (did, released_at)")
