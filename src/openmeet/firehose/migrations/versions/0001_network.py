"""Sources and cursors, repositories as last verified, interests, rejected frames."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table sources (
      url text primary key,
      cursor bigint,
      seen_at bigint,
      failing_since bigint,
      reason text not null
    )
    """,
    """
    create table verified_repositories (
      did text primary key,
      rev text not null,
      data text not null,
      state text not null check (state in ('synchronized', 'desynchronized')),
      since bigint not null,
      attempts integer not null,
      due_at bigint not null,
      reason text not null
    )
    """,
    "create index verified_repositories_by_due on verified_repositories (state, due_at)",
    """
    create table interests (
      tenant text not null,
      kind text not null check (kind in ('did', 'collection', 'subject')),
      value text not null,
      created_at bigint not null,
      primary key (tenant, kind, value)
    )
    """,
    """
    create table rejected_frames (
      id text primary key,
      source text not null,
      seq bigint,
      did text,
      reason text not null,
      frame bytea not null,
      rejected_at bigint not null
    )
    """,
    "create index rejected_frames_by_time on rejected_frames (rejected_at)",
    """
    create table known_identities (
      did text primary key,
      document text not null,
      fetched_at bigint not null,
      is_stale integer not null check (is_stale in (0, 1))
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
