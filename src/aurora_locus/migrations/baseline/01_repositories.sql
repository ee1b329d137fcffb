-- Repositories: blocks, records and blobs. In all tables, CIDs are 36 raw bytes, instants are microseconds UTC
-- (integers), and secrets are sealed (groundwork.sealing) or hashed, never stored in plain text.

-- repository: hosted repositories. The row outlives the account, so that a deleted one is still reported as
-- "deleted". The status is stored only here, so that the statement that moves the head can check it.
create table repositories (
  did text /*postgresql collate "C" */ not null primary key,
  status text not null check (status in ('active', 'deactivated', 'suspended', 'takendown', 'deleted')),
  head bytea not null,
  rev text not null,
  data bytea not null,
  created_at bigint not null
);
create index repositories_in_order_of_arrival on repositories (created_at, did);

-- repository: blocks of each repository, with their reference counts.
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

-- repository: running imports, one per repository. Blocks and records with this rev are not part of the repository
-- until the import's last transaction moves the head and deletes this row. An abandoned import is swept, page by
-- page.
create table imports (
  did text not null primary key references repositories (did),
  rev text not null,
  touched_at bigint not null,
  is_abandoned integer not null default 0 check (is_abandoned in (0, 1))
);

-- repository: running exports. As long as there is one, the blocks that it may read are kept.
create table export_pins (
  id text not null primary key,
  did text not null,
  touched_at bigint not null
);
create index export_pins_by_did on export_pins (did);

-- blobs: an upload is temporary until a record refers to it, then permanent, and deleted with its last reference.
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

-- blobs: references from records. The blob may be missing: imported records refer to blobs that are uploaded later.
create table blob_references (
  did text not null,
  collection text not null,
  rkey text not null,
  cid bytea not null,
  primary key (did, collection, rkey, cid)
);
create index blob_references_by_cid on blob_references (did, cid);

-- blobs: files to remove. Inserted in the transaction that deletes the blob's row, and claimed before the file is
-- removed, so that no process removes a file that has been uploaded again.
create table blob_removals (
  did text not null,
  cid bytea not null,
  claimed_until bigint not null default 0,
  owed_at bigint not null,
  primary key (did, cid)
);
create index blob_removals_by_age on blob_removals (owed_at, did, cid);

-- blobs: pins. As long as there is one, no file is removed.
create table blob_pins (
  holder text not null primary key,
  until bigint not null
);

-- blobs: accounts whose quota is not the server's default.
create table blob_quotas (
  did text not null primary key,
  max_bytes bigint check (max_bytes >= 0)
);
