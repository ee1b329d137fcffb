"""Merged accounts that have not been written to the ledger yet; and an index of invitations by the address that was
typed.
"""

from groundwork.database.revision import execute

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute(
        """
        create table merged_accounts (
          user_id text primary key,
          into_user_id text not null references users (id) on delete cascade,
          merged_at bigint not null
        )
        """
    )
    execute("create index merged_accounts_into on merged_accounts (into_user_id)")
    execute("create index attendances_invited_as on attendances (invited_as) where invited_as is not null")
