-- Events and the rows that belong to them.

-- domain/events: events, created on this site or read from the network.
create table events (
  id text primary key,
  slug text not null unique,
  title text not null,
  description text not null,
  starts_at bigint,
  ends_at bigint,
  over_at bigint,
  starts_local text not null,
  starts_text text not null,
  ends_text text not null,
  time_zone text not null,
  mode text not null check (mode in ('in_person', 'online', 'hybrid')),
  status text not null check (status in ('planned', 'scheduled', 'rescheduled', 'postponed', 'cancelled')),
  status_before text not null,
  status_reason text not null,
  venue_name text not null,
  street text not null,
  locality text not null,
  region text not null,
  country text not null,
  postal_code text not null,
  latitude text not null,
  longitude text not null,
  online_url text not null,
  online_url_audience text not null check (online_url_audience in ('attendees', 'everyone')),
  links text not null,
  capacity integer check (capacity is null or capacity >= 1),
  visibility text not null check (visibility in ('public', 'unlisted', 'private')),
  author_id text not null references users (id),
  origin text not null check (origin in ('here', 'network')),
  record_uri text unique,
  record_cid text,
  record_did text,
  revision integer not null check (revision >= 1),
  is_read_only integer not null check (is_read_only in (0, 1)),
  is_held integer not null check (is_held in (0, 1)),
  external_source text,
  submission_key text,
  search_text text not null,
  removed_at bigint,
  deleted_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  submission_digest bytea,
  series_id text references event_series (id),
  original_date text,
  is_modified_occurrence integer not null default 0 check (is_modified_occurrence in (0, 1)),
  overridden_fields text not null default '',
  is_published_by_policy integer not null default 1 check (is_published_by_policy in (0, 1)),
  external_id text,
  external_cid text,
  external_data text,
  matrix_room_id text,
  group_id text references groups (id),
  is_all_day integer not null default 0 check (is_all_day in (0, 1)),
  place_audience text not null default 'everyone' check (place_audience in ('attendees', 'everyone')),
  online_url_from integer check (online_url_from is null or online_url_from >= 0),
  door_note text not null default '',
  door_audience text not null default 'attendees' check (door_audience in ('attendees', 'everyone')),
  extra text not null default '{}',
  picture_key text,
  is_draft integer not null default 0 check (is_draft = 0 or is_draft = 1 and is_held = 1),
  publish_at bigint check (publish_at is null or is_draft = 1),
  draft_fields text not null default '',
  needs_author_approval integer not null default 0 check (needs_author_approval in (0, 1)),
  is_cancelled_with_series integer not null default 0 check (is_cancelled_with_series in (0, 1)),
  completed_at bigint,
  search_words text not null default '',
  place_x bigint,
  place_y bigint,
  place_z bigint,
  record_wanted integer not null default 1 check (record_wanted in (0, 1)),
  record_detail text not null default 'full' check (record_detail in ('full', 'minimal')),
  record_announced integer not null default 0 check (record_announced in (0, 1)),
  record_answers integer not null default 1 check (record_answers in (0, 1)),
  group_notice text not null default 'due' check (group_notice in ('due', 'sent', 'skipped')),
  retractions integer not null default 0,
  record_deleted_at bigint,
  constraint events_author_id_submission_key_key unique (author_id, submission_key),
  constraint events_ends_after_start check (ends_at is null or starts_at is null or ends_at >= starts_at)
);
create index events_coming on events (starts_at, id)
  where visibility = 'public' and is_held = 0 and removed_at is null and deleted_at is null;
create index events_by_author on events (author_id, starts_at, id);
create unique index events_by_series on events (series_id, original_date);
create index events_of_series_by_start on events (series_id, starts_at, id) where series_id is not null;
create index events_of_group_by_start on events (group_id, starts_at, id) where group_id is not null;
create index events_to_publish on events (publish_at, id) where publish_at is not null;
create index events_by_picture on events (picture_key) where picture_key is not null;
create index events_to_complete on events (over_at) where series_id is not null and completed_at is null;
create index events_of_repository_by_start on events (record_did, starts_at, id) where record_did is not null;
create index events_long on events (over_at, starts_at)
  where over_at - starts_at > 86400000000 and visibility = 'public' and is_held = 0 and removed_at is null
  and deleted_at is null;
create index events_of_series_by_end on events (series_id, over_at, id) where series_id is not null;
create index events_due_to_groups on events (updated_at, id)
  where group_notice = 'due' and group_id is not null and is_held = 0 and deleted_at is null and removed_at is null;

-- domain/events: event forms that were submitted before signing in.
create table event_drafts (
  token_hash bytea primary key,
  fields text not null,
  created_at bigint not null,
  expires_at bigint not null
);
create index event_drafts_by_expiry on event_drafts (expires_at);

-- domain/events: co-hosts, invited or accepted.
create table event_co_hosts (
  id text primary key,
  event_id text not null references events (id),
  user_id text references users (id),
  email text,
  state text not null check (state in ('invited', 'accepted', 'declined', 'left', 'removed')),
  invited_by text not null references users (id),
  created_at bigint not null,
  expires_at bigint not null,
  decided_at bigint,
  is_for_series integer not null default 0 check (is_for_series in (0, 1)),
  offered_at bigint,
  constraint event_co_hosts_event_id_user_id_key unique (event_id, user_id),
  constraint event_co_hosts_user_or_email check (user_id is not null or email is not null),
  constraint event_co_hosts_accepted_has_user check (state <> 'accepted' or user_id is not null),
  constraint event_co_hosts_invited_is_undecided check ((state = 'invited') = (decided_at is null))
);
create index event_co_hosts_of_person on event_co_hosts (user_id, state, event_id);
create index event_co_hosts_of_event on event_co_hosts (event_id, state, created_at, id);
create index event_co_hosts_of_address on event_co_hosts (email, state);
create unique index event_co_hosts_offered on event_co_hosts (event_id) where offered_at is not null;

-- domain/events: former dates of series, so that calendars that contain them can be corrected.
create table retired_calendar_uids (
  event_id text not null references events (id),
  series_id text not null,
  original_date text not null,
  time_zone text not null,
  is_all_day integer not null check (is_all_day in (0, 1)),
  sequence integer not null,
  left_at bigint not null,
  primary key (event_id, series_id, original_date)
);
create index retired_calendar_uids_by_name on retired_calendar_uids (series_id, original_date);

-- domain/host_messages: messages of hosts to attendees.
create table host_messages (
  id text primary key,
  event_id text not null references events (id),
  number integer not null check (number >= 1),
  author_id text not null references users (id),
  addressees text not null check (addressees <> ''),
  text text not null check (text <> ''),
  state text not null check (state in ('scheduled', 'sent', 'called_off')),
  send_at bigint not null,
  sent_at bigint,
  recipients integer not null check (recipients >= 0),
  created_at bigint not null,
  submission_key text,
  constraint host_messages_event_id_number_key unique (event_id, number),
  constraint host_messages_event_id_submission_key_key unique (event_id, submission_key),
  constraint host_messages_sent_has_instant check ((state = 'sent') = (sent_at is not null)),
  constraint host_messages_unsent_has_no_recipients check (state = 'sent' or recipients = 0)
);
create index host_messages_due on host_messages (send_at, id) where state = 'scheduled';
