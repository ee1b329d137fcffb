"""Proofs of attendance, and the keys with which they are signed."""

from groundwork.database.revision import execute

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    execute(
        """
        create table attendance_proofs (
          id text primary key,
          attendance_id text not null references attendances (id) on delete cascade,
          token_hash bytea not null unique,
          did text,
          made_at bigint not null,
          withdrawn_at bigint
        )
        """
    )
    # At most one proof per attendance that is not withdrawn.
    execute(
        "create unique index attendance_proofs_current on attendance_proofs (attendance_id) where withdrawn_at is null"
    )
    execute("create index attendance_proofs_by_attendance on attendance_proofs (attendance_id)")
    execute(
        """
        create table attendance_proof_keys (
          key_id text primary key,
          public_key text not null,
          sealed bytea,
          created_at bigint not null
        )
        """
    )
    # Only the newest key signs. The private half of the one before is erased when it is replaced.
    execute(
        "create unique index attendance_proof_keys_signing on attendance_proof_keys ((sealed is null))"
        " where sealed is not null"
    )
