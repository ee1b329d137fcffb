"""Store which people have switched off suggestions."""

from groundwork.database.revision import execute

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    execute(
        "alter table users add column wants_suggestions integer not null default 1 check (wants_suggestions in (0, 1))"
    )
