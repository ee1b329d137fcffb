-- The authorization server. An app pushes a request, one browser opens it, and its user approves or denies it.
-- Approval yields a code, which the app exchanges once for a session. Request URIs and codes are stored as hashes.
-- Refresh tokens are not stored, because they are derived from the session and its generation.

-- oauth: pushed requests. device_id identifies the browser.
create table oauth_requests (
  id bytea not null primary key,
  client_id text not null,
  client_document text,
  auth_method text not null check (auth_method in ('none', 'private_key_jwt')),
  auth_key_id text,
  auth_algorithm text,
  auth_thumbprint text,
  jkt text not null,
  redirect_uri text not null,
  response_mode text not null check (response_mode in ('query', 'fragment')),
  scope text not null,
  permission_sets text not null,
  state text not null,
  code_challenge text not null,
  login_hint text,
  prompt text,
  ui_locales text,
  device_id text,
  stage text not null check (stage in ('pushed', 'opened', 'approved', 'denied')),
  created_at bigint not null,
  expires_at bigint not null,
  constraint oauth_requests_key_id_unless_none check ((auth_method = 'none') = (auth_key_id is null)),
  constraint oauth_requests_algorithm_unless_none check ((auth_method = 'none') = (auth_algorithm is null)),
  constraint oauth_requests_thumbprint_unless_none check ((auth_method = 'none') = (auth_thumbprint is null))
);
create index oauth_requests_by_expiry on oauth_requests (expires_at);

-- oauth: sessions of apps.
create table oauth_sessions (
  id text not null primary key,
  did text not null references accounts (did) on delete cascade,
  client_id text not null,
  client_name text,
  auth_method text not null check (auth_method in ('none', 'private_key_jwt')),
  auth_key_id text,
  auth_algorithm text,
  auth_thumbprint text,
  jkt text not null,
  scope text not null,
  expanded_scope text not null,
  may_refresh integer not null check (may_refresh in (0, 1)),
  generation bigint not null check (generation >= 0),
  device_id text,
  created_at bigint not null,
  refreshed_at bigint not null,
  refresh_expires_at bigint not null,
  expires_at bigint not null,
  constraint oauth_sessions_key_id_unless_none check ((auth_method = 'none') = (auth_key_id is null))
);
create index oauth_sessions_by_did on oauth_sessions (did, created_at);
create index oauth_sessions_by_expiry on oauth_sessions (refresh_expires_at);

-- oauth: authorization codes.
create table oauth_codes (
  code_hash bytea not null primary key,
  request_id bytea not null,
  did text not null references accounts (did) on delete cascade,
  scope text not null,
  session_id text,
  created_at bigint not null,
  expires_at bigint not null,
  spent_at bigint,
  constraint oauth_codes_spent_has_session check ((session_id is null) = (spent_at is null))
);
create unique index oauth_codes_by_request on oauth_codes (request_id);
create index oauth_codes_by_expiry on oauth_codes (expires_at);

-- oauth: PKCE code challenges that were used.
create table oauth_challenges (
  code_challenge text not null primary key,
  used_at bigint not null
);
create index oauth_challenges_by_age on oauth_challenges (used_at);

-- oauth: the scopes that people have granted to each app.
create table oauth_grants (
  did text not null references accounts (did) on delete cascade,
  client_id text not null,
  asked_scope text not null,
  scope text not null,
  approved_at bigint not null,
  primary key (did, client_id)
);
