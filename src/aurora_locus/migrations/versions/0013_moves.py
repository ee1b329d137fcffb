"""Moves of accounts to other servers."""

from groundwork.database.revision import apply

revision = "0013"
down_revision = "0012"

# moving: one row per account; ``session`` (sealed) is the account's session on the other server, ``operation`` the signed change
# of its identity, kept before it is sent.
MOVES = """
create table moves (
    did         text    not null primary key references accounts (did) on delete cascade,
    target      text    not null,
    handle      text    not null,
    stage       text    not null check (stage in ('copying', 'waiting', 'finishing', 'done')),
    revision    bigint  not null,
    session     bytea,
    operation   text,
    problem     text    not null,
    has_records integer not null check (has_records in (0, 1)),
    blobs       bigint  not null,
    blobs_sent  bigint  not null,
    blobs_lost  bigint  not null,
    started_at  bigint  not null,
    changed_at  bigint  not null
);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(MOVES)
