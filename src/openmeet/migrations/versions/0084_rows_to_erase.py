"""Answers, former records and the locks of records found by the repository that goes: none of the others' is looked at.

As in 0080, whose words these are.
"""

from groundwork.database.revision import apply, engine

revision = "0084"
down_revision = "0083"

BEHIND = "substr({0}, instr({0}, '://') + 3)"
AUTHORITY = {
    "postgresql": "split_part({0}, '/', 3)",
    "sqlite": f"substr({BEHIND}, 1, instr({BEHIND}, '/') - 1)",
}

SQL = """
create index attendances_by_repository on attendances (({record_uri})) where record_uri is not null;
create index subjects_by_repository on subjects (({uri}));
create index former_records_by_repository on former_records (({uri}));
create index group_former_records_by_repository on group_former_records (({uri}));
"""


def upgrade() -> None:
    apply(SQL.format_map({column: AUTHORITY[engine()].format(column) for column in ("uri", "record_uri")}))
