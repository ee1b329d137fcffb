"""Reasons are codes, not sentences."""

from typing import Final

from groundwork.database.revision import encode_sentences

revision = "0003"
down_revision = "0002"

_OF_CONNECTIONS: Final = {
    "The server does not know our cursor.": "firehose.cursor_unknown",
    "closed by the server": "firehose.closed_by_server",
    "The stream’s sequence numbers jumped.": "firehose.numbers_jumped",
    "The stream was interrupted.": "failure.stream_broken",
    "The stream's server no longer answers.": "failure.remote_slow",
    "The stream sent text; its frames are binary.": "failure.stream_unreadable",
}
_OF_FRAMES: Final = {"the account has no signing key for commits": "firehose.no_signing_key"}
_OF_IDENTITIES: Final = {
    "too many frames are waiting for identity lookups": "firehose.too_many_lookups",
    "its identity was not resolved in time": "firehose.lookup_too_slow",
}


def upgrade() -> None:
    encode_sentences("sources", "reason", _OF_CONNECTIONS)
    encode_sentences("rejected_frames", "reason", _OF_FRAMES)
    encode_sentences("unresolved_repositories", "reason", _OF_IDENTITIES)
