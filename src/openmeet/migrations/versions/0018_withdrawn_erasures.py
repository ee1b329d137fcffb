"""Withdrawn requests to delete an account, kept until they have been written to the ledger."""

from groundwork.database.revision import execute

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    execute(
        """
        create table withdrawn_erasures (
          user_id text primary key references users (id) on delete cascade,
          withdrawn_at bigint not null
        )
        """
    )
