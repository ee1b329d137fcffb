"""Keys of proofs of attendance that were stolen and can be revoked."""

from groundwork.database.revision import execute

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    execute("alter table attendance_proof_keys add column revoked_at bigint")
