"""Mark sessions from an account server that may not have asked for a password. They do not prove that the person is
present.
"""

from groundwork.database.revision import execute

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    execute("alter table sessions add column is_silent integer not null default 0 check (is_silent in (0, 1))")
