"""People, sign-in, events, answers, notifications."""

from groundwork.database.revision import apply

revision = "0001"
down_revision = None

SQL = """
create table users (
  id text primary key,
  kind text not null check (kind in ('person', 'shadow')),
  display_name text not null,
  email text unique,
  bio text not null,
  time_zone text,
  revision integer not null,
  created_at bigint not null,
  updated_at bigint not null,
  check (kind = 'person' or email is null)
);

create table email_challenges (
  id text primary key,
  email text not null,
  display_name text not null,
  attempts_left integer not null check (attempts_left >= 0),
  next_path text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index email_challenges_by_email on email_challenges (email, created_at);
create index email_challenges_by_expiry on email_challenges (expires_at);

create table sessions (
  token_hash bytea primary key,
  user_id text not null references users (id) on delete cascade,
  kind text not null check (kind in ('browser', 'api')),
  created_at bigint not null,
  expires_at bigint not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

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
  unique (author_id, submission_key),
  check (ends_at is null or starts_at is null or ends_at >= starts_at)
);
create index events_coming on events (starts_at, id)
 where visibility = 'public' and is_held = 0 and removed_at is null and deleted_at is null;
create index events_by_author on events (author_id, starts_at, id);

create table event_drafts (
  token_hash bytea primary key,
  fields text not null,
  created_at bigint not null,
  expires_at bigint not null
);
create index event_drafts_by_expiry on event_drafts (expires_at);

create table attendances (
  id text primary key,
  event_id text not null references events (id),
  user_id text not null references users (id),
  status text not null check (status in ('attending', 'interested', 'declined', 'pending', 'waitlisted',
                                         'invited', 'rejected', 'attended')),
  waitlist_number integer,
  source text not null check (source in ('here', 'network')),
  revision integer not null check (revision >= 1),
  record_uri text unique,
  created_at bigint not null,
  answered_at bigint not null,
  unique (event_id, user_id),
  unique (event_id, waitlist_number),
  check ((status = 'waitlisted') = (waitlist_number is not null))
);
create index attendances_by_status on attendances (event_id, status, answered_at, id);
create index attendances_by_user on attendances (user_id, status);

create table notifications (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  kind text not null check (kind in ('event_changed', 'event_cancelled', 'event_reinstated', 'event_deleted',
                                     'moved_up', 'new_answer')),
  subject_id text not null,
  subject_revision bigint not null,
  created_at bigint not null,
  read_at bigint,
  unique (user_id, kind, subject_id, subject_revision)
);
create index notifications_by_user on notifications (user_id, created_at, id);
"""


def upgrade() -> None:
    apply(SQL)
