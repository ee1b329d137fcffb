"""One table for all unfinished fan-outs, regardless of the kind of recipients."""

from groundwork.database.revision import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute(
        """
        create table fan_outs (
          id text primary key,
          subject_id text not null,
          audience text not null,
          notice text not null,
          resume_after text not null,
          created_at bigint not null
        )
        """
    )
    execute("create index fan_outs_by_subject on fan_outs (subject_id, created_at, id)")
