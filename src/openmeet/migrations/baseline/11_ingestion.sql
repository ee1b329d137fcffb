-- Records of the network as they were received.

-- network/ingestion: repositories, and up to which rev each is known.
create table repositories (
  did text primary key,
  epoch bigint not null,
  floor_rev text not null,
  status text not null,
  stale_at bigint,
  synced_at bigint,
  updated_at bigint not null,
  missed_rev text not null default ''
);

-- network/records: the newest version of each record, tombstones included.
create table records (
  uri text primary key,
  did text not null,
  collection text not null,
  rkey text not null,
  epoch bigint not null,
  rev text not null,
  cid text,
  body bytea,
  is_verified integer not null check (is_verified in (0, 1)),
  standing text not null check (standing in ('mapped', 'raw', 'parked', 'tombstone')),
  reason text not null,
  subject_uri text,
  precedence text not null,
  first_seen_at bigint not null,
  seen_at bigint not null,
  said_rev text not null default '',
  after_rev text not null default '',
  constraint records_tombstone_has_no_cid check ((cid is null) = (standing = 'tombstone')),
  constraint records_cid_with_body check ((cid is null) = (body is null))
);
create index records_by_repository on records (did, collection, rkey);
create index records_by_subject on records (subject_uri, did);
create index records_by_standing on records (standing, seen_at);

-- network/records: one row per record that others refer to; the row is locked while these references are counted.
create table record_subjects (
  uri text primary key
);
create index record_subjects_by_repository on record_subjects (
  /*postgresql (split_part(uri, '/', 3)) */
  /*sqlite (substr(substr(uri, instr(uri, '://') + 3), 1, instr(substr(uri, instr(uri, '://') + 3), '/') - 1)) */
);

-- domain/merge_decisions: fields that were changed both here and in the network, and the chosen value.
create table merge_decisions (
  uri text not null,
  field text not null,
  theirs_rev text not null,
  base text not null,
  ours text not null,
  theirs text not null,
  ours_revision bigint not null,
  policy text not null,
  result text not null check (result in ('ours', 'theirs', 'both')),
  decided_at bigint not null,
  reviewed_at bigint,
  ours_values bytea,
  theirs_values bytea,
  choice text check (choice in ('ours', 'theirs')),
  after_rev text not null default '',
  primary key (uri, field, theirs_rev)
);
create index merge_decisions_by_repository on merge_decisions (
  /*postgresql (split_part(uri, '/', 3)) */
  /*sqlite (substr(substr(uri, instr(uri, '://') + 3), 1, instr(substr(uri, instr(uri, '://') + 3), '/') - 1)) */, field, theirs_rev
);

-- network/ingestion: erased records and accounts, whose old messages must not bring them back; only hashes.
create table erased_records (
  hash bytea primary key,
  rev text not null,
  erased_at bigint not null
);

-- network/ingestion: revs of a repository before which changes were missed.
create table repository_gaps (
  did text not null,
  rev text not null,
  primary key (did, rev)
);

-- network/ingestion: repositories that are being read completely, and the progress.
create table backfills (
  did text primary key references identities (did) on delete cascade,
  stage text not null check (stage in ('waiting', 'reading', 'applying', 'delayed', 'done')),
  total integer not null check (total >= 0),
  applied integer not null check (applied >= 0),
  reason text not null,
  asked_at bigint not null,
  finished_at bigint,
  constraint backfills_done_has_instant check ((stage = 'done') = (finished_at is not null))
);

-- network/ingestion: records that differ between this database and their repository.
create table discrepancies (
  uri text not null,
  kind text not null,
  did text not null,
  found_at bigint not null,
  seen_at bigint not null,
  repaired_at bigint,
  times integer not null check (times >= 1),
  primary key (uri, kind)
);
create index discrepancies_by_repository on discrepancies (did);
create index discrepancies_by_time on discrepancies (repaired_at, seen_at);

-- network/ingestion: records that could not be processed.
create table quarantined_records (
  uri text not null primary key,
  did text not null,
  collection text not null,
  rev text not null,
  cid text,
  step text not null check (step in ('taking', 'mending', 'counting')),
  reason text not null,
  found_at bigint not null,
  tried_at bigint not null,
  times integer not null check (times >= 1)
);
create index quarantined_records_by_repository on quarantined_records (did, step);
