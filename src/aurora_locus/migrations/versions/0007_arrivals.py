"""Accounts that were not shown yet, that have moved away, and the key that an owner holds.

``awaits`` is what an account that was never announced waits for; it is then deactivated, and removed after its time.
"""

from groundwork.database.revision import apply

revision = "0007"
down_revision = "0006"

ACCOUNTS = """
alter table accounts add column awaits text check (awaits in ('confirmation', 'move'));
alter table accounts add column recovery_key text;
alter table accounts add column moved_to text;
alter table accounts add column looked_at bigint not null default 0;
create index accounts_to_look_at on accounts (looked_at, did);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(ACCOUNTS)
