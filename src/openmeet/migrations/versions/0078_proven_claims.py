"""What was proven: a claim holds for as long as that is still the other account's."""

from groundwork.database.revision import apply

revision = "0078"
down_revision = "0077"

# The DID or the address; empty once the claim is settled, and in claims of the release before, which are proven once more.
SQL = """
alter table claims add column proven text not null default '';
"""


def upgrade() -> None:
    apply(SQL)
