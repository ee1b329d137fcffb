"""Store errors of mirrored rooms as reasons with parameters. Old error codes are dropped, because the next delivery
finds the error again.
"""

from groundwork.database.revision import execute

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    execute("update chat_rooms set matrix_error = '' where matrix_error <> ''")
