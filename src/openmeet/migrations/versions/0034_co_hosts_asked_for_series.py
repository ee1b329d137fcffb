"""Co-hosts of one date who are asked to host the whole series."""

from groundwork.database.revision import execute

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    execute(
        "alter table event_co_hosts add column is_asked_for_series smallint not null default 0"
        " check (is_asked_for_series in (0, 1))"
    )
