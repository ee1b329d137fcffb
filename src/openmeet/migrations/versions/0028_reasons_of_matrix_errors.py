"""Errors of mirrored rooms are kept as reasons with parameters; what was kept as a code is found again at the next delivery."""

from groundwork.database.revision import execute

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    execute("update chat_rooms set matrix_error = '' where matrix_error <> ''")
