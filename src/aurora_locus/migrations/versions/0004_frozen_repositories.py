"""Store whether a repository refuses commits because its account is in the last step of a migration to another server."""

from groundwork.database.revision import execute

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute(
        "alter table repositories add column is_frozen integer not null default 0 constraint repositories_is_frozen_check "
        "check (is_frozen in (0, 1))"
    )
    execute(
        "update repositories set is_frozen = 1 where did in (select m.did from moves m join accounts a on a.did = m.did "
        "where m.stage = 'finishing' and a.moved_to is not null)"
    )
