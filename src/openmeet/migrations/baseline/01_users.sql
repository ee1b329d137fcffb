-- People who use the site: their sessions, tokens and e-mail addresses. Instants are integer microseconds UTC, tokens
-- are stored as hashes.

-- domain/users: people, and shadow users for network accounts that nobody on this site has claimed.
create table users (
  id text primary key,
  kind text not null check (kind in ('person', 'shadow')),
  display_name text not null,
  email text unique,
  bio text not null,
  time_zone text,
  language text,
  revision integer not null,
  created_at bigint not null,
  updated_at bigint not null,
  claimed_at bigint,
  seen_at bigint,
  shows_about integer not null default 0 check (shows_about in (0, 1)),
  shows_groups integer not null default 0 check (shows_groups in (0, 1)),
  constraint users_shadow_has_no_email check (kind = 'person' or email is null)
);

-- domain/sign_in: browsers and API clients that are signed in.
create table sessions (
  token_hash bytea primary key,
  user_id text not null references users (id) on delete cascade,
  kind text not null check (kind in ('browser', 'api')),
  created_at bigint not null,
  expires_at bigint not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

-- domain/sign_in: codes and links that were sent by e-mail.
create table email_challenges (
  id text primary key,
  email text not null,
  display_name text not null,
  attempts_left integer not null check (attempts_left >= 0),
  next_path text not null,
  language text not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint,
  browser_hash bytea,
  is_mailed integer not null default 1 check (is_mailed in (0, 1))
);
create index email_challenges_by_email on email_challenges (email, created_at);
create index email_challenges_by_expiry on email_challenges (expires_at);

-- domain/sign_in: how many codes were tried for an address.
create table email_code_guesses (
  address_hash text primary key,
  used integer not null check (used >= 0),
  resets_at bigint not null
);
create index email_code_guesses_by_end on email_code_guesses (resets_at);

-- emails: links in e-mails that work without signing in, e.g. to unsubscribe.
create table email_links (
  user_id text not null references users (id) on delete cascade,
  purpose text not null check (purpose in ('unsubscribe', 'answer')),
  subject text not null,
  serial bigint not null check (serial > 0),
  token_hash bytea unique,
  created_at bigint not null,
  primary key (user_id, purpose, subject)
);

-- emails: addresses that get no e-mail from us.
create table email_suppressions (
  address text not null primary key,
  created_at bigint not null
);

-- domain/guest_rsvps: users who have only an e-mail address.
create table guests (
  user_id text primary key references users (id) on delete cascade,
  email text unique,
  language text,
  created_at bigint not null
);

-- domain/api_tokens: personal access tokens.
create table api_tokens (
  id text primary key,
  token_hash bytea not null unique,
  user_id text not null references users (id) on delete cascade,
  name text not null,
  scopes text not null,
  created_at bigint not null,
  expires_at bigint,
  last_used_at bigint,
  revoked_at bigint
);
create index api_tokens_by_user on api_tokens (user_id, created_at, id);

-- domain/api_tokens: tokens of services.
create table service_tokens (
  token_hash bytea primary key,
  id text not null unique,
  name text not null check (name <> ''),
  scopes text not null,
  created_at bigint not null,
  last_used_at bigint,
  revoked_at bigint
);

-- web/api: responses of requests that carry an idempotency key.
create table idempotency_keys (
  user_id text not null references users (id) on delete cascade,
  request_key text not null,
  digest bytea not null,
  status integer check (status is null or status between 200 and 299),
  answer bytea,
  created_at bigint not null,
  primary key (user_id, request_key),
  constraint idempotency_keys_status_with_answer check ((status is null) = (answer is null))
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- domain/account_merge: proofs that two users are one person.
create table account_merges (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  other_id text references users (id) on delete set null,
  proof text not null check (proof in ('did', 'email')),
  created_at bigint not null,
  expires_at bigint not null,
  settled_at bigint,
  joined text not null,
  proven text not null default '',
  constraint account_merges_two_users check (user_id <> other_id),
  constraint account_merges_user_id_other_id_key unique (user_id, other_id)
);
create index account_merges_by_end on account_merges (expires_at);
create index account_merges_of_other on account_merges (other_id) where other_id is not null;

-- domain/profiles: who follows whom.
create table profile_followers (
  user_id text not null references users (id) on delete cascade,
  followed_id text not null references users (id) on delete cascade,
  created_at bigint not null,
  primary key (user_id, followed_id),
  constraint profile_followers_somebody_else check (user_id <> followed_id)
);
create index profile_followers_by_followed on profile_followers (followed_id, user_id);

-- domain/safety: people that a user has blocked.
create table user_blocks (
  user_id text not null references users (id),
  blocked_id text not null references users (id),
  created_at bigint not null,
  is_known integer not null default 1 check (is_known in (0, 1)),
  primary key (user_id, blocked_id),
  constraint user_blocks_somebody_else check (user_id <> blocked_id)
);
create index user_blocks_other_way on user_blocks (blocked_id, user_id);

-- domain/safety: people and groups that a user does not want to see.
create table user_mutes (
  user_id text not null references users (id),
  thing text not null check (thing in ('person', 'group')),
  subject text not null,
  created_at bigint not null,
  is_known integer not null default 1 check (is_known in (0, 1)),
  primary key (user_id, subject),
  constraint user_mutes_somebody_else check (user_id <> subject)
);

-- domain/media: uploaded pictures, by the hash of their bytes.
create table pictures (
  key text primary key,
  user_id text not null references users (id),
  width integer not null check (width > 0),
  height integer not null check (height > 0),
  size integer not null check (size > 0),
  created_at bigint not null
);
create index pictures_of_person on pictures (user_id, created_at);
create index pictures_by_age on pictures (created_at, key);

-- domain/slugs: slugs that must not be assigned again; only hashes.
create table retired_slugs (
  kind text not null check (kind in ('event', 'series', 'group')),
  slug_hash text not null,
  subject_id text not null,
  retired_at bigint not null,
  primary key (kind, slug_hash)
);
create index retired_slugs_of_subject on retired_slugs (kind, subject_id);

-- feature_flags: whether a feature is on.
create table feature_flags (
  name text primary key,
  is_on integer not null check (is_on in (0, 1)),
  changed_at bigint not null
);

-- feature_flags: log of switched flags, with the person and the reason.
create table feature_flag_changes (
  id text primary key,
  name text not null,
  is_on integer not null check (is_on in (0, 1)),
  changed_by text not null check (changed_by <> ''),
  why text not null,
  changed_at bigint not null
);
create index feature_flag_changes_by_time on feature_flag_changes (changed_at, id);
