"""Which sessions were opened at an account server that may have asked for no password: they do not prove who is there."""

from groundwork.database.revision import execute

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    execute("alter table sessions add column is_silent integer not null default 0 check (is_silent in (0, 1))")
