"""Sessions by OAuth beside those by password, leased while they are refreshed; our keys as a client; sign-ins under way."""

from groundwork.database.revision import apply

revision = "0029"
down_revision = "0028"

SQL = """
alter table repository_sessions add column kind text not null default 'password' check (kind in ('password', 'oauth'));
alter table repository_sessions add column issuer text not null default '';
alter table repository_sessions add column client_id text not null default '';
alter table repository_sessions add column client_key_id text not null default '';
alter table repository_sessions add column scope text not null default '';
alter table repository_sessions add column asked_scope text not null default '';
alter table repository_sessions add column access_ends_at bigint;
alter table repository_sessions add column lease text not null default '';
alter table repository_sessions add column leased_until bigint;
alter table repository_sessions add column refreshed_at bigint not null default 0;
update repository_sessions set refreshed_at = updated_at;
create table client_keys (
  key_id text primary key,
  sealed bytea not null,
  created_at bigint not null
);
create table authorizations (
  state_hash bytea primary key,
  sealed bytea not null,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index authorizations_by_end on authorizations (expires_at);
"""


def upgrade() -> None:
    apply(SQL)
