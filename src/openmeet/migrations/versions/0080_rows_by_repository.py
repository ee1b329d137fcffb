"""Decisions, series, groups and memberships found by the repository in which their record stands.

By equality, which no collation changes. The words are those of ``groundwork.database.addresses``.
"""

from groundwork.database.revision import apply, engine

revision = "0080"
down_revision = "0079"

BEHIND = "substr({0}, instr({0}, '://') + 3)"
AUTHORITY = {
    "postgresql": "split_part({0}, '/', 3)",
    "sqlite": f"substr({BEHIND}, 1, instr({BEHIND}, '/') - 1)",
}

SQL = """
create index conflicts_by_repository on conflicts (({uri}), field, theirs_rev);
create index event_series_by_repository on event_series (({record_uri})) where record_uri is not null;
create index groups_by_repository on groups (({external_id})) where external_id is not null;
create index group_members_by_repository on group_members (({external_id})) where external_id is not null;
"""


def upgrade() -> None:
    columns = ("uri", "record_uri", "external_id")
    apply(SQL.format_map({column: AUTHORITY[engine()].format(column) for column in columns}))
