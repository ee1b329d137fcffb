"""Delete the rows of record locks, which named every record that was ever seen. A lock now leaves no row.

Processes of the previous release may insert a few more until they stop. Whoever locks their records next deletes them.
"""

from groundwork.database.revision import apply

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    apply(
        """
        drop index record_subjects_by_repository;
        /*postgresql truncate record_subjects; */
        /*sqlite delete from record_subjects; */
        """
    )
