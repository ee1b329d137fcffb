"""Requests to delete an account."""

from groundwork.database.revision import execute

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    execute(
        """
        create table account_erasures (
          user_id text primary key references users (id) on delete cascade,
          stage text not null check (stage in ('requested', 'ending', 'erasing')),
          requested_at bigint not null,
          due_at bigint not null check (due_at >= requested_at)
        )
        """
    )
    execute("create index account_erasures_due on account_erasures (due_at, user_id)")
