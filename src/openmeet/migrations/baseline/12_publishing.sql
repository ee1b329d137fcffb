-- Records that we publish, and the outbox.

-- outbox: jobs to run after a transaction has committed.
create table outbox_jobs (
  kind text not null,
  subject text not null,
  revision bigint not null,
  partition text not null,
  priority smallint not null check (priority between 0 and 2),
  state text not null check (state in ('due', 'leased', 'completed', 'failed')),
  due_at bigint not null,
  attempts integer not null,
  lease bigint not null,
  leased_until bigint,
  reason_code text not null,
  reason_params text not null,
  enqueued_at bigint not null,
  primary key (kind, subject)
);
create index outbox_jobs_due on outbox_jobs (kind, state, priority, due_at, subject);

-- outbox: each record that we write, and the state of its publication.
create table publications (
  kind text not null
    check (kind in ('event', 'rsvp', 'series', 'group', 'former_group', 'former_event', 'former_series',
        'membership', 'acceptance', 'group_event')),
  subject_id text not null,
  user_id text not null references users (id),
  state text not null
    check (state in ('withheld', 'waiting', 'due', 'sending', 'published', 'retrying', 'blocked', 'refused',
        'conflicted', 'retracting', 'retracted')),
  revision bigint not null,
  sent_revision bigint not null default 0,
  did text,
  uri text unique,
  chosen_cid text,
  chosen_body bytea,
  chosen_revision bigint,
  base_cid text,
  base_body bytea,
  base_rev text,
  edits bytea,
  merged bytea,
  was_merged integer not null default 0 check (was_merged in (0, 1)),
  reason text not null default '',
  attempts integer not null default 0,
  rounds integer not null default 0,
  writes integer not null default 0,
  writes_since bigint not null default 0,
  due_at bigint not null,
  lease bigint not null default 0,
  leased_until bigint,
  edited_at bigint not null,
  changed_at bigint not null,
  is_recalled integer not null default 0 check (is_recalled in (0, 1)),
  was_lost integer not null default 0 check (was_lost in (0, 1)),
  earlier_cids text not null default '',
  looks_again integer not null default 0 check (looks_again in (0, 1)),
  taken_back_uri text,
  primary key (kind, subject_id)
);
create index publications_by_due on publications (state, due_at);
create index publications_by_user on publications (user_id);

-- outbox: creates that were sent and got no response.
create table in_flight_creates (
  uri text not null,
  cid text not null,
  did text not null,
  sends integer not null check (sends > 0),
  last_sent_at bigint not null,
  primary key (uri, cid)
);
create index in_flight_creates_of_repository on in_flight_creates (did);

-- outbox: updates that were sent and got no response.
create table in_flight_updates (
  uri text not null,
  cid text not null,
  instead_of text not null,
  did text not null,
  sends integer not null check (sends > 0),
  last_sent_at bigint not null,
  primary key (uri, cid, instead_of)
);
create index in_flight_updates_of_repository on in_flight_updates (did);
create index in_flight_updates_by_age on in_flight_updates (last_sent_at);

-- outbox: superseded records of events and series, in other repositories.
create table superseded_records (
  uri text primary key,
  kind text not null check (kind in ('event', 'series')),
  subject_id text not null,
  is_authors integer not null check (is_authors in (0, 1)),
  is_there integer not null check (is_there in (0, 1)),
  created_at bigint not null
);
create index superseded_records_of_subject on superseded_records (kind, subject_id, created_at);
create index superseded_records_by_repository on superseded_records (
  /*postgresql (split_part(uri, '/', 3)) */
  /*sqlite (substr(substr(uri, instr(uri, '://') + 3), 1, instr(substr(uri, instr(uri, '://') + 3), '/') - 1)) */
);

-- domain/groups: superseded records of groups, in other repositories.
create table superseded_group_records (
  uri text primary key,
  group_id text not null references groups (id),
  cid text not null,
  created_at bigint not null,
  is_there integer not null default 1 check (is_there in (0, 1))
);
create index superseded_group_records_of_group on superseded_group_records (group_id, created_at);
create index superseded_group_records_by_repository on superseded_group_records (
  /*postgresql (split_part(uri, '/', 3)) */
  /*sqlite (substr(substr(uri, instr(uri, '://') + 3), 1, instr(substr(uri, instr(uri, '://') + 3), '/') - 1)) */
);

-- network/publishing: changes that co-hosts made to records in the author's repository.
create table co_host_publications (
  id text primary key,
  author_id text not null references users (id) on delete cascade,
  co_host_id text references users (id) on delete set null,
  event_id text not null references events (id) on delete cascade,
  revision integer not null,
  created_at bigint not null
);
create index co_host_publications_of_author on co_host_publications (author_id, created_at, id);
create index co_host_publications_of_co_host on co_host_publications (co_host_id) where co_host_id is not null;
create index co_host_publications_of_event on co_host_publications (event_id);
