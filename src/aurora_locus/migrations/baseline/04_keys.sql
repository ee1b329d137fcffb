-- Keys and operations of identities.

-- keys: repository signing keys, sealed. A reserved key waits for the account that will use it.
create table signing_keys (
  did_key text not null primary key,
  did text,
  sealed bytea not null,
  state text not null check (state in ('reserved', 'current', 'retired')),
  created_at bigint not null
);
create unique index signing_keys_current on signing_keys (did) where state = 'current';
create unique index signing_keys_reserved on signing_keys (did) where state = 'reserved';

-- repository: repositories that are to be signed with another key.
create table signatures_due (
  did text not null primary key references accounts (did) on delete cascade,
  due_at bigint not null
);

-- keys: the server's own keys, sealed.
create table server_keys (
  purpose text not null primary key,
  sealed bytea not null,
  created_at bigint not null
);

-- identity: an operation is stored before it is sent, so that a crash between directory and database is finished at
-- start.
create table plc_operations (
  did text not null,
  cid text not null,
  operation text not null,
  state text not null check (state in ('intended', 'sent', 'ending', 'abandoned')),
  created_at bigint not null,
  primary key (did, cid)
);
create index plc_operations_by_state on plc_operations (state, created_at);
