-- Data about the network that all communities of an installation share.

-- Streams that are followed, and the cursor of each.
create table sources (
  url text primary key,
  cursor bigint,
  state text not null check (state in ('following', 'failing', 'stopped')),
  reason text not null,
  changed_at bigint not null,
  seen_at bigint,
  removed_at bigint
);

-- Repositories as last verified. source: the stream through which each was last received; a gap in it affects them.
create table verified_repositories (
  did text primary key,
  rev text not null,
  data text not null,
  is_active integer not null check (is_active in (0, 1)),
  status text not null,
  updated_at bigint not null,
  source text not null default ''
);

-- Repositories whose frames are dropped until their identity resolves.
create table unresolved_repositories (
  did text primary key,
  source text not null,
  reason text not null,
  attempts integer not null check (attempts >= 0),
  failed_at bigint not null,
  due_at bigint not null
);
create index unresolved_repositories_by_due_at on unresolved_repositories (due_at, did);

-- DIDs and collections that a community wants to receive.
create table interests (
  tenant text not null,
  kind text not null check (kind in ('did', 'collection')),
  value text not null,
  created_at bigint not null,
  primary key (tenant, kind, value)
);

-- Frames that were rejected.
create table rejected_frames (
  id text primary key,
  source text not null,
  seq bigint,
  did text,
  reason text not null,
  frame bytea not null,
  rejected_at bigint not null
);
create index rejected_frames_by_time on rejected_frames (rejected_at);
