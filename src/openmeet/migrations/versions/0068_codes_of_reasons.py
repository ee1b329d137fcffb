"""Reasons of labelers are codes, not sentences."""

from typing import Final

from groundwork.database.revision import encode_sentences

revision = "0068"
down_revision = "0067"

_CODES: Final = {
    "The labeler does not know our cursor.": "firehose.cursor_unknown",
    "closed by the server": "firehose.closed_by_server",
    "The labeler’s DID document names no label service.": "firehose.no_label_service",
    "its DID document has no key for labels": "firehose.no_label_key",
    "The stream was interrupted.": "failure.stream_broken",
    "The stream's server no longer answers.": "failure.remote_slow",
    "The stream sent text; its frames are binary.": "failure.stream_unreadable",
}


def upgrade() -> None:
    encode_sentences("labelers", "reason", _CODES)
