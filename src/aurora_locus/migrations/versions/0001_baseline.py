"""Create every table, with the SQL in the folder ``baseline``."""

from pathlib import Path

from groundwork.database.revision import apply_folder

revision = "0001"
down_revision = None


def upgrade() -> None:
    apply_folder(Path(__file__).parents[1] / "baseline")
