"""Mark sessions that were, or may have been, opened with an app password. They do not prove that the person is present."""

from groundwork.database.revision import execute

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    execute(
        "alter table sessions add column is_by_app_password integer not null default 0"
        " check (is_by_app_password in (0, 1))"
    )
