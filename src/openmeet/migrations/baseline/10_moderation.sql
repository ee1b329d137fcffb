-- Moderation.

-- domain/moderation: the moderation state of a subject (for example hidden or held), with the reason.
create table moderation_states (
  subject text primary key,
  thing text not null check (thing in ('event', 'series', 'group', 'person', 'did', 'host')),
  state text not null check (state in ('hidden', 'first_event', 'arrival', 'burst', 'trusted')),
  reason text not null,
  decided_by text,
  since bigint not null,
  constraint moderation_states_hidden_by_somebody check (state <> 'hidden' or decided_by is not null),
  constraint moderation_states_first_event_of_person check (state <> 'first_event' or thing = 'person'),
  constraint moderation_states_arrival_of_account_or_event
    check (state not in ('arrival', 'burst') or thing in ('did', 'event'))
);
create index moderation_states_by_age on moderation_states (state, since, subject);

-- domain/moderation: reports of users.
create table reports (
  id text primary key,
  reporter_id text not null references users (id),
  thing text not null check (thing in ('event', 'series', 'group', 'person')),
  subject text not null,
  reason text not null,
  words text not null,
  created_at bigint not null,
  closed_at bigint,
  outcome text check (outcome in ('acted', 'dismissed')),
  closed_by_act text,
  constraint reports_closed_has_outcome check ((closed_at is null) = (outcome is null)),
  constraint reports_closed_has_act check ((closed_at is null) = (closed_by_act is null))
);
create unique index reports_open on reports (reporter_id, thing, subject) where closed_at is null;
create index reports_of_subject on reports (subject, created_at, id) where closed_at is null;
create index reports_of_person on reports (reporter_id, created_at, id);
create index reports_of_act on reports (closed_by_act) where closed_by_act is not null;

-- domain/moderation: moderators.
create table moderators (
  user_id text primary key references users (id),
  named_at bigint not null
);

-- domain/moderation: limits for new accounts and hosts; one row.
create table moderation_policy (
  id integer primary key check (id = 1),
  holds_first_events integer not null check (holds_first_events in (0, 1)),
  new_account_days integer not null check (new_account_days >= 1),
  new_author_minutes integer not null check (new_author_minutes >= 0),
  most_events_of_author integer not null check (most_events_of_author >= 1),
  most_authors_of_host integer not null check (most_authors_of_host >= 1),
  most_events_of_host integer not null check (most_events_of_host >= 1),
  most_new_hosts integer not null check (most_new_hosts >= 1),
  revision integer not null check (revision >= 1)
);

-- domain/moderation: log of all actions; triggers make it append-only.
create table moderation_log (
  id text primary key,
  at bigint not null,
  actor_id text,
  act text not null,
  thing text not null,
  subject text not null,
  before_state text not null,
  after_state text not null,
  reason text not null,
  undoes text references moderation_log (id)
);
create index moderation_log_by_time on moderation_log (at, id);
create index moderation_log_of_subject on moderation_log (subject, at, id);
create unique index moderation_log_undone_once on moderation_log (undoes) where undoes is not null;

-- domain/moderation: network accounts with a record on this site, and the number of recent records.
create table remote_authors (
  did text primary key,
  host text not null,
  first_seen_at bigint not null,
  counted integer not null check (counted >= 0),
  counted_from bigint not null
);
create index remote_authors_of_host on remote_authors (host, first_seen_at);

-- domain/moderation: PDSes from which a record was received.
create table remote_hosts (
  host text primary key,
  first_seen_at bigint not null
);
create index remote_hosts_by_age on remote_hosts (first_seen_at);

-- domain/moderation: labels of labelers that we follow.
create table labels (
  source text not null,
  subject text not null,
  value text not null,
  cid text not null,
  negated integer not null check (negated in (0, 1)),
  hides integer not null check (hides in (0, 1)),
  labelled_at bigint not null,
  expires_at bigint,
  heard_at bigint not null,
  primary key (subject, source, value, cid)
);
create index labels_by_expiry on labels (expires_at) where expires_at is not null;
create index labels_that_hide on labels (heard_at, subject) where hides = 1 and negated = 0;
create index labels_of_source on labels (source);

-- domain/moderation: labelers that we follow, and the cursor of each.
create table labelers (
  did text primary key,
  cursor bigint not null,
  state text not null check (state in ('following', 'failing', 'stopped')),
  reason text not null,
  changed_at bigint not null
);
