-- Accounts and their credentials.

-- accounts: e-mail addresses are stored in lower case, handles in their normalized form. Decisions about an account
-- (deactivated by its owner, taken down by the host) are stored separately from the resulting status in repositories,
-- so that after a takedown is lifted, a deactivated account is still deactivated. awaits: what an account is waiting
-- for before it is announced.
create table accounts (
  did text not null primary key references repositories (did),
  handle text not null unique,
  email text unique,
  email_confirmed_at bigint,
  password_hash text,
  deactivated_at bigint,
  delete_after bigint,
  suspended_at bigint,
  takedown_ref text,
  invites_disabled integer not null default 0 check (invites_disabled in (0, 1)),
  invite_note text,
  tokens_valid_after bigint not null default 0,
  created_at bigint not null,
  suspended_until bigint,
  awaits text check (awaits in ('confirmation', 'move')),
  recovery_key text,
  moved_to text,
  looked_at bigint not null default 0,
  constraint accounts_email_is_lower check (email = lower(email)),
  constraint accounts_handle_is_lower check (handle = lower(handle))
);
create index accounts_to_delete on accounts (delete_after) where delete_after is not null;
create index accounts_suspended on accounts (suspended_until) where suspended_until is not null;
create index accounts_to_look_at on accounts (looked_at, did);

-- accounts: released handles, which nobody else can take for a while.
create table released_handles (
  handle text not null primary key,
  did text not null,
  released_at bigint not null
);

-- accounts: refresh tokens of apps that signed in with a password.
create table sessions (
  id text not null primary key,
  did text not null references accounts (did) on delete cascade,
  app_password_name text,
  next_id text,
  expires_at bigint not null,
  created_at bigint not null
);
create index sessions_by_did on sessions (did);
create index sessions_by_expiry on sessions (expires_at);

-- accounts: app passwords.
create table app_passwords (
  did text not null references accounts (did) on delete cascade,
  name text not null,
  password_hash text not null,
  privileged integer not null check (privileged in (0, 1)),
  created_at bigint not null,
  primary key (did, name)
);

-- accounts: invite codes.
create table invite_codes (
  code text not null primary key,
  available_uses integer not null check (available_uses >= 0),
  disabled integer not null default 0 check (disabled in (0, 1)),
  for_account text not null,
  created_by text not null,
  created_at bigint not null
);
create index invite_codes_by_account on invite_codes (for_account);

-- accounts: which account used which invite code.
create table invite_code_uses (
  code text not null references invite_codes (code),
  used_by text not null,
  used_at bigint not null,
  primary key (code, used_by)
);
create index invite_code_uses_by_guest on invite_code_uses (used_by);

-- accounts: e-mailed tokens. Looked up by letter (the id of the e-mail) to compose the e-mail, otherwise by hash.
create table email_tokens (
  did text not null references accounts (did) on delete cascade,
  purpose text not null
    check (purpose in ('confirm_email', 'update_email', 'reset_password', 'delete_account', 'plc_operation',
        'sign_in')),
  token_hash bytea not null,
  wrong_tries integer not null default 0,
  requested_at bigint not null,
  letter text,
  primary key (did, purpose)
);
create unique index email_tokens_by_letter on email_tokens (letter);
create index email_tokens_by_hash on email_tokens (purpose, token_hash);

-- accounts: e-mailed sign-in links.
create table sign_in_links (
  letter text not null primary key,
  token_hash bytea not null unique,
  did text not null references accounts (did) on delete cascade,
  requested_at bigint not null
);
create index sign_in_links_by_account on sign_in_links (did);

-- accounts: number of wrong passwords from each place (an address or a browser, hashed).
create table password_guesses (
  subject text not null,
  place bytea not null,
  used integer not null check (used >= 0),
  resets_at bigint not null,
  primary key (subject, place)
);
create index password_guesses_by_end on password_guesses (resets_at);

-- accounts: places from which an account has signed in before.
create table known_places (
  subject text not null,
  place bytea not null,
  seen_at bigint not null,
  primary key (subject, place)
);
create index known_places_by_age on known_places (seen_at);

-- accounts: identities whose did:web document we serve but whose accounts have moved away.
create table web_destinations (
  did text not null primary key,
  pds text not null,
  signing_key text not null,
  handle text not null,
  changed_at bigint not null
);

-- accounts: private preferences, one row each, in the order in which the app sent them. name is the $type.
create table preferences (
  did text not null references accounts (did) on delete cascade,
  position integer not null,
  name text not null,
  value text not null,
  primary key (did, position)
);

-- accounts: browsers and their sessions, both as SHA-256. is_seen: the browser has presented its newest session;
-- until then the previous one is valid as well. chosen_did: the account that the pages show.
create table browsers (
  id_hash bytea not null primary key,
  session_hash bytea not null,
  previous_hash bytea,
  is_seen integer not null check (is_seen in (0, 1)),
  rotated_at bigint not null,
  chosen_did text,
  user_agent text not null,
  address text not null,
  created_at bigint not null
);
create index browsers_by_use on browsers (rotated_at);

-- accounts: the accounts that are signed in on each browser.
create table browser_sign_ins (
  id_hash bytea not null references browsers (id_hash) on delete cascade,
  did text not null references accounts (did) on delete cascade,
  is_remembered integer not null check (is_remembered in (0, 1)),
  signed_in_at bigint not null,
  proven_at bigint not null,
  primary key (id_hash, did)
);
create index browser_sign_ins_by_account on browser_sign_ins (did);
create index browser_sign_ins_by_age on browser_sign_ins (signed_in_at);

-- accounts/second_factors: authenticator apps. A secret is confirmed once its owner has entered a code. last_step:
-- time step of the newest accepted code, so that no code is accepted twice.
create table totp_secrets (
  did text not null primary key references accounts (did) on delete cascade,
  sealed bytea not null,
  last_step bigint not null,
  confirmed_at bigint,
  created_at bigint not null
);

-- accounts/second_factors: passkeys.
create table passkeys (
  credential_id bytea not null primary key,
  did text not null references accounts (did) on delete cascade,
  public_key bytea not null,
  sign_count bigint not null check (sign_count >= 0),
  name text not null,
  created_at bigint not null,
  used_at bigint
);
create index passkeys_by_account on passkeys (did);

-- accounts/second_factors: passkey challenges that were answered.
create table spent_challenges (
  challenge_hash bytea not null primary key,
  expires_at bigint not null
);
create index spent_challenges_by_expiry on spent_challenges (expires_at);

-- accounts/second_factors: accounts that use codes by e-mail.
create table mail_factors (
  did text not null primary key references accounts (did) on delete cascade,
  created_at bigint not null
);

-- accounts/second_factors: recovery codes.
create table recovery_codes (
  did text not null references accounts (did) on delete cascade,
  code_hash bytea not null,
  primary key (did, code_hash)
);

-- account_migration: accounts that migrate away. session: tokens of the session on the other server, sealed.
-- operation: the signed change of the identity, stored before it is sent.
create table moves (
  did text not null primary key references accounts (did) on delete cascade,
  target text not null,
  handle text not null,
  stage text not null check (stage in ('copying', 'waiting', 'finishing', 'done')),
  revision bigint not null,
  session bytea,
  operation text,
  problem text not null,
  has_records integer not null check (has_records in (0, 1)),
  blobs bigint not null,
  blobs_sent bigint not null,
  blobs_lost bigint not null,
  started_at bigint not null,
  changed_at bigint not null
);
