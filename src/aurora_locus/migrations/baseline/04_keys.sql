-- Keys, and PLC operations.

-- keys: repository signing keys, sealed. A reserved key belongs to an account that does not exist yet.
create table signing_keys (
  did_key text not null primary key,
  did text,
  sealed bytea not null,
  state text not null check (state in ('reserved', 'current', 'retired')),
  created_at bigint not null
);
create unique index signing_keys_current on signing_keys (did) where state = 'current';
create unique index signing_keys_reserved on signing_keys (did) where state = 'reserved';

-- repository: repositories that still need a commit signed with their new key.
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

-- identity: PLC operations. Each is stored before it is sent, so that after a crash between directory and database it
-- is finished or reverted at the next start.
create table plc_operations (
  did text not null,
  cid text not null,
  operation text not null,
  state text not null check (state in ('intended', 'sent', 'ending', 'abandoned')),
  created_at bigint not null,
  primary key (did, cid)
);
create index plc_operations_by_state on plc_operations (state, created_at);
