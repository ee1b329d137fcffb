"""Files that are to be removed, room for one account's blobs, and the backups that were made.

A removal is owed in the transaction that drops the blob's row and is claimed before the file goes, so that several
processes never remove a file that was uploaded again meanwhile. While a pin holds no file goes at all.
"""

from groundwork.database.revision import apply

revision = "0004"
down_revision = "0003"

REMOVALS = """
create table blob_removals (
    did           text   not null,
    cid           bytea  not null,
    claimed_until bigint not null default 0,
    owed_at       bigint not null,
    primary key (did, cid)
);
create index blob_removals_by_age on blob_removals (owed_at, did, cid);

create table blob_pins (
    holder text   not null primary key,
    until  bigint not null
);

create table blob_quotas (
    did       text not null primary key,
    max_bytes bigint check (max_bytes >= 0)
);
"""

BACKUPS = """
create table backups (
    id           text    not null primary key,
    state        text    not null check (state in ('running', 'done', 'failed')),
    started_at   bigint  not null,
    heartbeat_at bigint  not null,
    ended_at     bigint,
    last_number  bigint,
    bytes        bigint,
    reason       text    not null default ''
);
create unique index backups_one_at_a_time on backups (state) where state = 'running';
create index backups_by_end on backups (state, ended_at);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(REMOVALS)
    apply(BACKUPS)
