-- Calendars of users, and imported events and guest lists.

-- domain/calendars: secret addresses of a user's own calendar.
create table calendar_feeds (
  user_id text primary key references users (id) on delete cascade,
  serial integer not null check (serial >= 1),
  token_hash bytea unique,
  created_at bigint not null
);

-- domain/calendars: external calendars that a user has subscribed to.
create table subscribed_calendars (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  host text not null,
  health text not null check (health in ('file', 'fresh', 'failing', 'given_up')),
  problem text not null,
  failures integer not null check (failures >= 0),
  is_busy integer not null check (is_busy in (0, 1)),
  url_sealed bytea,
  digest bytea not null,
  content bytea not null,
  etag text not null,
  last_modified text not null,
  fetched_at bigint,
  changed_at bigint,
  next_fetch_at bigint,
  dates_until bigint not null,
  created_at bigint not null,
  reason text not null default ''
    check (reason in ('', 'gone', 'unreachable', 'no_calendar', 'too_large', 'too_much_work', 'address_lost')),
  constraint subscribed_calendars_user_id_digest_key unique (user_id, digest),
  constraint subscribed_calendars_file_has_no_url check ((health = 'file') = (url_sealed is null))
);
create index subscribed_calendars_due on subscribed_calendars (next_fetch_at, id) where next_fetch_at is not null;
create index subscribed_calendars_running_out on subscribed_calendars (dates_until, id);

-- domain/calendars: entries of these calendars.
create table subscribed_dates (
  calendar_id text not null references subscribed_calendars (id) on delete cascade,
  number integer not null,
  user_id text not null references users (id) on delete cascade,
  title text not null,
  place text not null,
  starts_at bigint not null,
  ends_at bigint not null,
  time_zone text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  is_cancelled integer not null check (is_cancelled in (0, 1)),
  primary key (calendar_id, number),
  constraint subscribed_dates_ends_after_start check (ends_at >= starts_at)
);
create index subscribed_dates_by_user on subscribed_dates (user_id, starts_at);

-- domain/imports: uploaded files, until the import is confirmed.
create table imports (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  what text not null check (what in ('events', 'guests', 'members')),
  medium text not null check (medium in ('ics', 'page', 'csv')),
  target text not null,
  source text not null,
  content bytea not null,
  columns text not null,
  outcome text,
  created_at bigint not null,
  expires_at bigint not null
);
create index imports_by_expiry on imports (expires_at);

-- domain/imports: the event that was created from each entry of a calendar file.
create table imported_events (
  user_id text not null references users (id) on delete cascade,
  uid text not null,
  made text not null,
  created_at bigint not null,
  said text not null default '',
  primary key (user_id, uid)
);

-- domain/imports: invited people of an imported guest list.
create table imported_contacts (
  id text primary key,
  what text not null check (what in ('guests', 'members')),
  target text not null,
  email text not null,
  name text not null,
  status text not null,
  stage text not null check (stage in ('kept', 'invited', 'accepted', 'declined')),
  message text not null,
  invited_by text not null references users (id) on delete cascade,
  invited_at bigint,
  created_at bigint not null,
  constraint imported_contacts_what_target_email_key unique (what, target, email),
  constraint imported_contacts_kept_is_not_invited check (stage <> 'kept' or invited_at is null)
);
create index imported_contacts_by_stage on imported_contacts (what, target, stage, id);

-- domain/imports: people of an imported guest list who have no address.
create table imported_names (
  what text not null check (what in ('guests', 'members')),
  target text not null,
  name text not null check (name <> ''),
  status text not null,
  created_at bigint not null,
  primary key (what, target, name)
);

-- domain/legacy_import: runs of the import from the first OpenMeet.
create table legacy_runs (
  id text primary key,
  source text not null,
  zone text not null,
  state text not null check (state in ('running', 'done', 'rolled_back')),
  expected text not null,
  started_at bigint not null,
  finished_at bigint
);
create unique index legacy_runs_by_source on legacy_runs (source) where state <> 'rolled_back';

-- domain/legacy_import: the row that was created from each row of the first OpenMeet.
create table legacy_rows (
  run_id text not null references legacy_runs (id),
  kind text not null check (kind in ('user', 'known', 'group', 'member', 'series', 'event', 'known_event', 'answer')),
  old_id bigint not null,
  new_id text not null,
  primary key (run_id, kind, old_id)
);
create index legacy_rows_by_new on legacy_rows (run_id, kind, new_id);
create index legacy_rows_by_id on legacy_rows (new_id);
