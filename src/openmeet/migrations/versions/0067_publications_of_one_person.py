"""Index of the publications of one person that were never sent, in the order in which they are leased.

They are leased together with another one of that person, without reading all of them.
"""

from groundwork.database.revision import execute

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    execute(
        "create index publications_to_batch on publications (user_id, due_at, kind, subject_id)"
        " where state = 'due' and attempts = 0 and uri is null"
    )
