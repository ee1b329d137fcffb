-- Repositories: blocks, records and blobs. CIDs are 36 raw bytes, instants integer microseconds UTC, secrets sealed
-- (groundwork.sealing) or hashed, never plain.

-- repository: what is hosted. The row outlives the account (a deleted one keeps answering "deleted"); its status is
-- the only one, so that the write path can refuse in the same statement that moves the head.
create table repositories (
  did text /*postgresql collate "C" */ not null primary key,
  status text not null check (status in ('active', 'deactivated', 'suspended', 'takendown', 'deleted')),
  head bytea not null,
  rev text not null,
  data bytea not null,
  created_at bigint not null
);
create index repositories_in_order_of_arrival on repositories (created_at, did);

-- repository: blocks of each repository, with the number of their uses.
create table blocks (
  did text not null references repositories (did),
  cid bytea not null,
  bytes bytea not null,
  rev text not null,
  uses integer not null check (uses >= 0),
  primary key (did, cid)
);
create index blocks_unused on blocks (did) where uses = 0;

-- repository: the index of records by path.
create table records (
  did text /*postgresql collate "C" */ not null references repositories (did),
  collection text /*postgresql collate "C" */ not null,
  rkey text /*postgresql collate "C" */ not null,
  cid bytea not null,
  rev text not null,
  takedown_ref text,
  primary key (did, collection, rkey)
) /*sqlite without rowid */;
create index records_by_collection on records (collection, did);

-- repository: one import of a repository at a time. Blocks and records of "rev" belong to nobody until the import's
-- last transaction has moved the head and removed this row; one that is abandoned is swept, page by page.
create table imports (
  did text not null primary key references repositories (did),
  rev text not null,
  touched_at bigint not null,
  is_abandoned integer not null default 0 check (is_abandoned in (0, 1))
);

-- repository: exports that other processes run, so that what they read stays.
create table export_pins (
  id text not null primary key,
  did text not null,
  touched_at bigint not null
);
create index export_pins_by_did on export_pins (did);

-- blobs: an upload is temporary until a record refers to it, then permanent, then gone with its last reference.
create table blobs (
  did text not null,
  cid bytea not null,
  mime_type text not null,
  size bigint not null check (size >= 0),
  state text not null check (state in ('temporary', 'permanent')),
  takedown_ref text,
  created_at bigint not null,
  primary key (did, cid)
);
create index blobs_by_age on blobs (state, created_at);

-- blobs: a reference may exist without its blob: imported repositories name blobs that are still to be fetched.
create table blob_references (
  did text not null,
  collection text not null,
  rkey text not null,
  cid bytea not null,
  primary key (did, collection, rkey, cid)
);
create index blob_references_by_cid on blob_references (did, cid);

-- blobs: files to remove. Written in the transaction that deletes the blob's row and claimed before the file goes, so
-- that several processes never remove a file that was uploaded again meanwhile.
create table blob_removals (
  did text not null,
  cid bytea not null,
  claimed_until bigint not null default 0,
  owed_at bigint not null,
  primary key (did, cid)
);
create index blob_removals_by_age on blob_removals (owed_at, did, cid);

-- blobs: while a pin holds, no file is removed.
create table blob_pins (
  holder text not null primary key,
  until bigint not null
);

-- blobs: accounts whose limit is not the usual one.
create table blob_quotas (
  did text not null primary key,
  max_bytes bigint check (max_bytes >= 0)
);
