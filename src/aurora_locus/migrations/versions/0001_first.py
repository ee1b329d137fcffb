"""The tables of a Personal Data Server.

Which room writes which table is said above each group. CIDs are 36 raw bytes, instants integer microseconds UTC,
secrets sealed (``groundwork.sealing``) or hashed, never plain (invariant 8).
"""

from groundwork.database.revision import apply, engine

revision = "0001"
down_revision = None

# repository: what is hosted. The row outlives the account (a deleted one keeps answering "deleted"); its status is
# the only one, so that the write path can refuse in the same statement that moves the head.
REPOSITORIES = """
create table repositories (
    did        {bytewise} not null primary key,
    status     text   not null check (status in ('active', 'deactivated', 'suspended', 'takendown', 'deleted')),
    head       bytea  not null,
    rev        text   not null,
    data       bytea  not null,
    created_at bigint not null
);
create index repositories_in_order_of_arrival on repositories (created_at, did);

create table blocks (
    did   text    not null references repositories (did),
    cid   bytea   not null,
    bytes bytea   not null,
    rev   text    not null,
    uses  integer not null check (uses >= 0),
    primary key (did, cid)
);
create index blocks_unused on blocks (did) where uses = 0;

create table records (
    did          {bytewise} not null references repositories (did),
    collection   {bytewise} not null,
    rkey         {bytewise} not null,
    cid          bytea not null,
    rev          text  not null,
    takedown_ref text,
    primary key (did, collection, rkey)
){clustered};
create index records_by_collection on records (collection, did);
"""

# blobs: an upload is temporary until a record refers to it, then permanent, then gone with its last reference.
# A reference may stand without its blob: imported repositories name blobs that are still to be fetched.
BLOBS = """
create table blobs (
    did          text   not null,
    cid          bytea  not null,
    mime_type    text   not null,
    size         bigint not null check (size >= 0),
    state        text   not null check (state in ('temporary', 'permanent')),
    takedown_ref text,
    created_at   bigint not null,
    primary key (did, cid)
);
create index blobs_by_age on blobs (state, created_at);

create table blob_references (
    did        text  not null,
    collection text  not null,
    rkey       text  not null,
    cid        bytea not null,
    primary key (did, collection, rkey, cid)
);
create index blob_references_by_cid on blob_references (did, cid);
"""

# sequencer: one row hands out the numbers; its lock, held to the commit, makes commit order and number order the same.
# ``retired_up_to`` is the highest number that retention has removed: a cursor below it has missed something.
EVENTS = """
create table sequencer (
    id            integer not null primary key check (id = 1),
    last          bigint  not null,
    retired_up_to bigint  not null
);
insert into sequencer (id, last, retired_up_to) values (1, 0, 0);

create table events (
    seq          {number} not null primary key,
    did          text   not null,
    kind         text   not null check (kind in ('commit', 'sync', 'identity', 'account')),
    frame        bytea  not null,
    sequenced_at bigint not null
);
create index events_by_did on events (did, seq);
"""

# accounts: who may sign in. E-mail addresses are stored in lower case, handles in their normal form. What was decided
# about an account (deactivated by its owner, taken down by the host) is kept apart from the resulting status in
# ``repositories``, so that lifting a takedown returns a deactivated account to deactivated.
ACCOUNTS = """
create table accounts (
    did                text   not null primary key references repositories (did),
    handle             text   not null unique,
    email              text   unique,
    email_confirmed_at bigint,
    password_hash      text,
    deactivated_at     bigint,
    delete_after       bigint,
    suspended_at       bigint,
    takedown_ref       text,
    invites_disabled   integer not null default 0 check (invites_disabled in (0, 1)),
    invite_note        text,
    tokens_valid_after bigint  not null default 0,
    created_at         bigint  not null,
    check (email = lower(email)),
    check (handle = lower(handle))
);

create table released_handles (
    handle      text   not null primary key,
    did         text   not null,
    released_at bigint not null
);

create table sessions (
    id                text   not null primary key,
    did               text   not null references accounts (did) on delete cascade,
    app_password_name text,
    next_id           text,
    expires_at        bigint not null,
    created_at        bigint not null
);
create index sessions_by_did on sessions (did);
create index sessions_by_expiry on sessions (expires_at);

create table app_passwords (
    did           text    not null references accounts (did) on delete cascade,
    name          text    not null,
    password_hash text    not null,
    privileged    integer not null check (privileged in (0, 1)),
    created_at    bigint  not null,
    primary key (did, name)
);

create table invite_codes (
    code           text    not null primary key,
    available_uses integer not null check (available_uses >= 0),
    disabled       integer not null default 0 check (disabled in (0, 1)),
    for_account    text    not null,
    created_by     text    not null,
    created_at     bigint  not null
);
create index invite_codes_by_account on invite_codes (for_account);

create table invite_code_uses (
    code    text   not null references invite_codes (code),
    used_by text   not null,
    used_at bigint not null,
    primary key (code, used_by)
);

create table email_tokens (
    did          text    not null references accounts (did) on delete cascade,
    purpose      text    not null check (purpose in
                     ('confirm_email', 'update_email', 'reset_password', 'delete_account', 'plc_operation')),
    token_hash   bytea   not null,
    wrong_tries  integer not null default 0,
    requested_at bigint  not null,
    primary key (did, purpose)
);
"""

# keys: repository signing keys and the server's own, sealed. A reserved key waits for the account that will use it.
# identity: an operation is stored before it is sent, so that a crash between directory and database is finished at start.
KEYS = """
create table signing_keys (
    did_key    text   not null primary key,
    did        text,
    sealed     bytea  not null,
    state      text   not null check (state in ('reserved', 'current', 'retired')),
    created_at bigint not null
);
create unique index signing_keys_current on signing_keys (did) where state = 'current';

create table server_keys (
    purpose    text   not null primary key,
    sealed     bytea  not null,
    created_at bigint not null
);

create table plc_operations (
    did        text   not null,
    cid        text   not null,
    operation  text   not null,
    state      text   not null check (state in ('intended', 'sent', 'ending', 'abandoned')),
    created_at bigint not null,
    primary key (did, cid)
);
create index plc_operations_by_state on plc_operations (state, created_at);
"""


# Every write touches these tables. SQLite keeps a primary key in a second tree beside the rows unless told otherwise;
# PostgreSQL has no such choice.
FORMS = {
    "sqlite": {"clustered": " without rowid", "number": "integer", "bytewise": "text"},
    # Pages of collections and repositories go by bytes, as the tree does, whatever the database's language is.
    "postgresql": {"clustered": "", "number": "bigint", "bytewise": 'text collate "C"'},
}


def upgrade() -> None:
    """Create every table."""
    form = FORMS[engine()]
    for group in (REPOSITORIES, BLOBS, EVENTS, ACCOUNTS, KEYS):
        apply(group.format_map(form))
