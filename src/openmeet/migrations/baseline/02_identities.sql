-- Identities in the AT Protocol, and how we act in their repositories.

-- domain/identities: DIDs of users.
create table identities (
  did text primary key,
  user_id text not null references users (id),
  kind text not null check (kind in ('connected', 'custodial', 'shadow')),
  handle text not null,
  display_name text not null,
  pds_url text not null,
  status text not null,
  is_default integer not null check (is_default in (0, 1)),
  checked_at bigint,
  created_at bigint not null,
  updated_at bigint not null
);
create index identities_by_user on identities (user_id);
create index identities_by_handle on identities (handle);
create index identities_by_server on identities (pds_url);

-- domain/identities: whether a user wants their records published.
create table consents (
  user_id text primary key references users (id),
  publishing integer not null check (publishing in (0, 1)),
  asked_at bigint,
  answered_at bigint,
  handle text not null,
  revision bigint not null
);

-- domain/identities: what a user publishes, and how.
create table record_preferences (
  user_id text primary key references users (id) on delete cascade,
  writes_events integer not null check (writes_events in (0, 1)),
  writes_answers integer not null check (writes_answers in (0, 1)),
  declined_as text not null check (declined_as in ('notgoing', 'nothing')),
  waiting_as text not null check (waiting_as in ('nothing', 'interested')),
  lets_co_hosts_publish integer not null check (lets_co_hosts_publish in (0, 1)),
  revision integer not null,
  updated_at bigint not null
);

-- network/repositories: custodial accounts of users on our own PDS.
create table custodial_accounts (
  user_id text primary key references users (id),
  handle text not null,
  email text not null,
  sealed_password bytea not null,
  did text unique,
  created_at bigint not null
);

-- network/repositories: recovery keys of custodial accounts, sealed.
create table recovery_keys (
  public_key text primary key,
  user_id text not null references users (id),
  did text unique,
  sealed bytea not null,
  taken_over_at bigint,
  created_at bigint not null
);
create index recovery_keys_of_user on recovery_keys (user_id);
create index recovery_keys_waiting on recovery_keys (taken_over_at) where taken_over_at is not null;

-- network/repositories: our sessions at the PDSes of users, sealed.
create table repository_sessions (
  did text primary key references identities (did) on delete cascade,
  pds_url text not null,
  sealed bytea not null,
  version bigint not null,
  needs_login integer not null check (needs_login in (0, 1)),
  updated_at bigint not null,
  kind text not null default 'password' check (kind in ('password', 'oauth')),
  issuer text not null default '',
  client_id text not null default '',
  client_key_id text not null default '',
  scope text not null default '',
  asked_scope text not null default '',
  access_ends_at bigint,
  lease text not null default '',
  leased_until bigint,
  refreshed_at bigint not null default 0
);

-- network/repositories: OAuth requests whose callback has not arrived yet.
create table oauth_requests (
  state_hash bytea primary key,
  sealed bytea not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index oauth_requests_by_end on oauth_requests (expires_at);

-- network/repositories: signing keys of our OAuth client, sealed.
create table oauth_client_keys (
  key_id text primary key,
  sealed bytea not null,
  created_at bigint not null
);

-- network/repositories: circuit breakers, by PDS.
create table circuit_breakers (
  service text primary key,
  failures integer not null,
  pauses integer not null,
  open_until bigint not null,
  reason text not null,
  changed_at bigint not null
);
