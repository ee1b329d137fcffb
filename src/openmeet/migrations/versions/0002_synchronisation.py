"""Debts, publications, conflicts, records as last seen, repositories, identities, consents."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table debts (
      kind text not null,
      subject text not null,
      revision bigint not null,
      state text not null check (state in ('due', 'leased', 'paid', 'given_up')),
      due_at bigint not null,
      attempts integer not null,
      reason text not null,
      lease bigint not null,
      leased_until bigint,
      owed_at bigint not null,
      primary key (kind, subject)
    )
    """,
    "create index debts_by_due on debts (kind, state, due_at)",
    """
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
    )
    """,
    "create index identities_by_user on identities (user_id)",
    "create index identities_by_handle on identities (handle)",
    """
    create table repository_sessions (
      did text primary key references identities (did) on delete cascade,
      pds_url text not null,
      sealed bytea not null,
      version bigint not null,
      needs_login integer not null check (needs_login in (0, 1)),
      updated_at bigint not null
    )
    """,
    """
    create table consents (
      user_id text primary key references users (id),
      publishing integer not null check (publishing in (0, 1)),
      asked_at bigint,
      answered_at bigint,
      handle text not null,
      revision bigint not null
    )
    """,
    """
    create table custodial_accounts (
      user_id text primary key references users (id),
      handle text not null,
      email text not null,
      sealed_password bytea not null,
      did text unique,
      created_at bigint not null
    )
    """,
    """
    create table publications (
      kind text not null check (kind in ('event', 'rsvp')),
      subject_id text not null,
      user_id text not null references users (id),
      state text not null check (state in ('withheld', 'waiting', 'due', 'sending', 'published', 'retrying', 'blocked',
                                           'refused', 'conflicted', 'retracting', 'retracted')),
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
      primary key (kind, subject_id)
    )
    """,
    "create index publications_by_due on publications (state, due_at)",
    "create index publications_by_user on publications (user_id)",
    """
    create table repositories (
      did text primary key,
      epoch bigint not null,
      floor_rev text not null,
      status text not null,
      stale_at bigint,
      synced_at bigint,
      updated_at bigint not null
    )
    """,
    """
    create table records (
      uri text primary key,
      did text not null,
      collection text not null,
      rkey text not null,
      epoch bigint not null,
      rev text not null,
      cid text,
      body bytea,
      is_verified integer not null check (is_verified in (0, 1)),
      standing text not null check (standing in ('mapped', 'raw', 'parked', 'tombstone')),
      reason text not null,
      subject_uri text,
      precedence text not null,
      first_seen_at bigint not null,
      seen_at bigint not null,
      check ((cid is null) = (standing = 'tombstone')),
      check ((cid is null) = (body is null))
    )
    """,
    "create index records_by_repository on records (did, collection, rkey)",
    "create index records_by_subject on records (subject_uri, did)",
    "create index records_by_standing on records (standing, seen_at)",
    "create table subjects (uri text primary key)",
    """
    create table conflicts (
      uri text not null,
      field text not null,
      theirs_rev text not null,
      base text not null,
      ours text not null,
      theirs text not null,
      ours_revision bigint not null,
      policy text not null,
      result text not null check (result in ('ours', 'theirs', 'both')),
      decided_at bigint not null,
      reviewed_at bigint,
      primary key (uri, field, theirs_rev)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
