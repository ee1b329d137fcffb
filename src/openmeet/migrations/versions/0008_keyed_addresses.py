"""Store suppressed addresses as keyed hashes. Addresses of declined invitations are hashed here; the program, which has
the key, then hashes them with it (``outbox/email_suppressions.py``).
"""

import hashlib

import sqlalchemy
from alembic import op

from groundwork.database.revision import apply, engine

revision = "0008"
down_revision = "0007"

TABLES = """
create table address_keys (
  name text primary key,
  sealed bytea not null,
  created_at bigint not null
);
create table declined_addresses (
  subject_id text not null,
  address_hash text not null,
  declined_at bigint not null,
  primary key (subject_id, address_hash)
);
alter table email_suppressions rename column address to address_hash;
"""
DECLINED = """
select group_id as subject_id, email, declined_at from group_invitations
 where declined_at is not null and email is not null
union all
select target, email, coalesce(invited_at, created_at) from imported_contacts where stage = 'declined'
"""
ADD = """
insert into declined_addresses (subject_id, address_hash, declined_at) values (:subject_id, :address_hash, :declined_at)
    on conflict (subject_id, address_hash) do nothing
"""
# SQLite cannot add a constraint to an existing table.
CONSTRAINT_SQLITE = """
create table group_invitations_new (
  id text primary key,
  group_id text not null references groups (id),
  email text,
  invited_by text not null references users (id),
  uses_left integer not null check (uses_left >= 0),
  expires_at bigint not null,
  revoked_at bigint,
  created_at bigint not null,
  declined_at bigint,
  uses integer not null default 1 check (uses >= 1),
  constraint group_invitations_declined_has_no_address check (declined_at is null or email is null)
);
insert into group_invitations_new
    (id, group_id, email, invited_by, uses_left, expires_at, revoked_at, created_at, declined_at, uses)
  select id, group_id, email, invited_by, uses_left, expires_at, revoked_at, created_at, declined_at, uses
    from group_invitations;
drop table group_invitations;
alter table group_invitations_new rename to group_invitations;
create index group_invitations_of_group on group_invitations (group_id, created_at, id);
create index group_invitations_by_mail on group_invitations (group_id, email, created_at) where email is not null;
"""
CONSTRAINT_POSTGRES = """
alter table group_invitations add constraint group_invitations_declined_has_no_address
  check (declined_at is null or email is null);
"""


def upgrade() -> None:
    apply(TABLES)
    connection = op.get_bind()
    declined = [
        {
            "subject_id": row.subject_id,
            "address_hash": hashlib.sha256(b"left alone\x00" + row.email.strip().casefold().encode()).hexdigest(),
            "declined_at": row.declined_at,
        }
        for row in connection.execute(sqlalchemy.text(DECLINED))
    ]
    if declined:
        connection.execute(sqlalchemy.text(ADD), declined)
    apply("update group_invitations set email = null where declined_at is not null")
    apply(CONSTRAINT_SQLITE if engine() == "sqlite" else CONSTRAINT_POSTGRES)
