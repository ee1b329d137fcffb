"""Sources and cursors, repositories as last verified, interests, rejected frames."""

from groundwork.database.revision import apply

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = """
create table sources (
  url text primary key,
  cursor bigint,
  state text not null check (state in ('following', 'failing', 'stopped')),
  reason text not null,
  changed_at bigint not null,
  seen_at bigint
);
create table verified_repositories (
  did text primary key,
  rev text not null,
  data text not null,
  is_active integer not null check (is_active in (0, 1)),
  status text not null,
  updated_at bigint not null
);
create table interests (
  tenant text not null,
  kind text not null check (kind in ('did', 'collection')),
  value text not null,
  created_at bigint not null,
  primary key (tenant, kind, value)
);
create table rejected_frames (
  id text primary key,
  source text not null,
  seq bigint,
  did text,
  reason text not null,
  frame bytea not null,
  rejected_at bigint not null
);
create index rejected_frames_by_time on rejected_frames (rejected_at);
"""


def upgrade() -> None:
    apply(SQL)
