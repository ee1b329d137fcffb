"""What relays say of single accounts."""

from groundwork.database.revision import apply

revision = "0014"
down_revision = "0013"

SQL = """
create table relay_accounts (
    relay    text   not null,
    did      text   not null references accounts (did) on delete cascade,
    status   text   not null,
    rev      text,
    asked_at bigint not null,
    primary key (relay, did)
);
create index relay_accounts_by_status on relay_accounts (relay, status);
"""


def upgrade() -> None:
    apply(SQL)
