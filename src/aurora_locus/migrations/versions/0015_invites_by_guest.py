"""By which invite an account came, found without reading them all."""

from groundwork.database.revision import apply

revision = "0015"
down_revision = "0014"

# accounts: asked for with every account that an operator or a moderation tool looks at.
INDEX = """
create index invite_code_uses_by_guest on invite_code_uses (used_by);
"""


def upgrade() -> None:
    """Nothing is changed for code of the release before."""
    apply(INDEX)
