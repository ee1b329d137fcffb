"""Private preferences of accounts, and one reserved signing key per DID."""

from groundwork.database.revision import apply

revision = "0003"
down_revision = "0002"

# accounts: one row per preference, in the order in which the owner's app gave them; ``name`` is its $type.
PREFERENCES = """
create table preferences (
    did      text    not null references accounts (did) on delete cascade,
    position integer not null,
    name     text    not null,
    value    text    not null,
    primary key (did, position)
);
create unique index signing_keys_reserved on signing_keys (did) where state = 'reserved';
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(PREFERENCES)
