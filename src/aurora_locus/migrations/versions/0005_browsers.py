"""Who is signed in on which browser."""

from groundwork.database.revision import apply

revision = "0005"
down_revision = "0004"

# accounts: identifiers of browsers and of their sessions are kept as SHA-256. ``is_seen``: the browser has shown the newest
# session; until then the one before it is good as well. ``chosen_did`` is the account that pages are about.
BROWSERS = """
create table browsers (
    id_hash       bytea   not null primary key,
    session_hash  bytea   not null,
    previous_hash bytea,
    is_seen       integer not null check (is_seen in (0, 1)),
    rotated_at    bigint  not null,
    chosen_did    text,
    user_agent    text    not null,
    address       text    not null,
    created_at    bigint  not null
);
create index browsers_by_use on browsers (rotated_at);

create table browser_sign_ins (
    id_hash       bytea   not null references browsers (id_hash) on delete cascade,
    did           text    not null references accounts (did) on delete cascade,
    is_remembered integer not null check (is_remembered in (0, 1)),
    signed_in_at  bigint  not null,
    proven_at     bigint  not null,
    primary key (id_hash, did)
);
create index browser_sign_ins_by_account on browser_sign_ins (did);
create index browser_sign_ins_by_age on browser_sign_ins (signed_in_at);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(BROWSERS)
