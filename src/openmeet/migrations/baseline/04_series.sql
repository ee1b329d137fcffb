-- Series of events. A date that differs from the rule, or that somebody has answered, is stored as a row of events.

-- domain/series: a recurrence rule and the content that its dates share.
create table event_series (
  id text primary key,
  slug text not null unique,
  name text not null,
  description text not null,
  time_zone text not null,
  recurrence_rule text not null,
  recurrence_exceptions text not null,
  recurrence_dates text not null,
  starts_local text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  duration integer check (duration is null or duration >= 0),
  template text not null,
  status text not null check (status in ('active', 'paused', 'cancelled')),
  status_reason text not null,
  publication_policy text not null check (publication_policy in ('next', 'window', 'none')),
  user_id text not null references users (id),
  group_id text,
  split_from text references event_series (id),
  matrix_room_id text,
  external_id text,
  external_cid text,
  external_source text,
  external_data text,
  is_read_only integer not null default 0 check (is_read_only in (0, 1)),
  revision integer not null check (revision >= 1),
  submission_key text,
  stored_until bigint not null,
  deleted_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  record_wanted integer not null default 1 check (record_wanted in (0, 1)),
  record_detail text not null default 'full' check (record_detail in ('full', 'minimal')),
  record_announced integer not null default 0 check (record_announced in (0, 1)),
  record_answers integer not null default 1 check (record_answers in (0, 1)),
  record_uri text,
  needs_author_approval integer not null default 0 check (needs_author_approval in (0, 1)),
  submission_digest bytea,
  constraint event_series_user_id_submission_key_key unique (user_id, submission_key)
);
create index event_series_by_user on event_series (user_id, created_at, id);
create index event_series_by_window on event_series (stored_until, id) where status = 'active' and deleted_at is null;
create index event_series_by_origin on event_series (split_from);
create index event_series_of_group on event_series (group_id) where group_id is not null;
create index event_series_by_group on event_series (group_id) where group_id is not null;
create unique index event_series_by_record on event_series (record_uri) where record_uri is not null;
create index event_series_by_repository on event_series (
  /*postgresql (split_part(record_uri, '/', 3)) */
  /*sqlite (substr(substr(record_uri, instr(record_uri, '://') + 3), 1, instr(substr(record_uri, instr(record_uri, '://') + 3), '/') - 1)) */
) where record_uri is not null;

-- domain/series: who follows a series.
create table event_series_followers (
  series_id text not null references event_series (id),
  user_id text not null references users (id),
  notifications_enabled integer not null default 1 check (notifications_enabled in (0, 1)),
  created_at bigint not null,
  updated_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_followers_by_user on event_series_followers (user_id, series_id);

-- domain/series: standing RSVPs to all dates of a series.
create table event_series_standing_rsvps (
  series_id text not null references event_series (id),
  user_id text not null references users (id),
  with_limited integer not null check (with_limited in (0, 1)),
  created_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_standing_rsvps_by_user on event_series_standing_rsvps (user_id, series_id);

-- domain/series: invitations to all dates of a series.
create table event_series_invitations (
  series_id text not null references event_series (id),
  user_id text not null references users (id) on delete cascade,
  invited_by text not null references users (id),
  invited_as text not null,
  created_at bigint not null,
  primary key (series_id, user_id)
);
create index event_series_invitations_by_user on event_series_invitations (user_id, series_id);

-- domain/series: offers to transfer a series to another user.
create table event_series_offers (
  series_id text primary key references event_series (id),
  from_user_id text not null references users (id),
  to_user_id text not null references users (id),
  created_at bigint not null,
  constraint event_series_offers_to_somebody_else check (from_user_id <> to_user_id)
);
create index event_series_offers_by_person on event_series_offers (to_user_id, series_id);

-- domain/series: the state that an action replaced, so that the action can be undone.
create table event_series_undos (
  id text primary key,
  series_id text not null references event_series (id),
  made text references event_series (id),
  act text not null,
  is_silent integer not null check (is_silent in (0, 1)),
  kept text not null,
  created_at bigint not null,
  expires_at bigint not null,
  undone_at bigint
);
create index event_series_undos_by_series on event_series_undos (series_id, created_at, id);
create index event_series_undos_by_made on event_series_undos (made) where made is not null;
create index event_series_undos_by_expiry on event_series_undos (expires_at);

-- domain/series: rules that a series had before.
create table event_series_former_rules (
  series_id text not null references event_series (id),
  revision integer not null,
  starts_local text not null,
  time_zone text not null,
  recurrence_rule text not null,
  recurrence_exceptions text not null,
  recurrence_dates text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  left_at bigint not null,
  primary key (series_id, revision)
);

-- domain/series: single events that look like a series.
create table series_detections (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  key text not null,
  state text not null check (state in ('suggested', 'linked', 'accepted', 'refused')),
  series_id text references event_series (id),
  rule text not null,
  time_zone text not null,
  dates text not null,
  missing text not null,
  confidence integer not null check (confidence between 0 and 1000),
  created_at bigint not null,
  updated_at bigint not null,
  constraint series_detections_user_id_key_key unique (user_id, key),
  constraint series_detections_decided_has_series check (state in ('suggested', 'refused') or series_id is not null)
);
create index series_detections_of_series on series_detections (series_id) where series_id is not null;
