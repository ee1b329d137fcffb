"""Reasons are codes with parameters, not sentences."""

from typing import Final

from groundwork.database.revision import encode_sentences

revision = "0002"
down_revision = "0001"

# Codes that were stored without parameters, as text.
_PLAIN: Final = (
    "ingestion.rev_ahead",
    "failure.invalid_input",
    "failure.not_signed_in",
    "failure.forbidden",
    "failure.not_found",
    "failure.conflict",
    "failure.refused",
    "failure.too_large",
    "failure.too_many",
    "failure.remote_failed",
    "failure.remote_slow",
    "failure.not_asked",
    "failure.unavailable",
)


def upgrade() -> None:
    codes = {code: code for code in _PLAIN}
    encode_sentences("queue_messages", "reason", codes)
    encode_sentences("queue_dead_letters", "reason", codes)
