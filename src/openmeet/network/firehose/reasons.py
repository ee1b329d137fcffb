"""Reasons why a source, a labeler, a frame or an identity could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.sync.verify import MessageRejected, RejectionReason
from groundwork.errors import Explanation, Reason
from openmeet.network.records.reading_notes import shortened

# Maximum number of characters of an offending value, which can come from anybody.
MAX_VALUE: Final = 100


class FirehoseReason(Reason):
    """Why a stream, a labeler, a frame or an identity could not be read. The messages are in
    ``i18n/reasons/records.py``.
    """

    CURSOR_UNKNOWN = "firehose.cursor_unknown"
    CLOSED_BY_SERVER = "firehose.closed_by_server"
    NUMBERS_JUMPED = "firehose.numbers_jumped"
    LABELER_UNRESOLVED = "firehose.labeler_unresolved"
    NO_LABEL_SERVICE = "firehose.no_label_service"
    NO_LABEL_KEY = "firehose.no_label_key"
    TOO_MANY_LOOKUPS = "firehose.too_many_lookups"
    LOOKUP_TOO_SLOW = "firehose.lookup_too_slow"
    NUMBER_TOO_FAR = "firehose.number_too_far"
    MALFORMED = "firehose.malformed"
    NO_SIGNING_KEY = "firehose.no_signing_key"
    OTHER_SERVER = "firehose.other_server"
    NO_SERVER = "firehose.no_server"
    STALE_REV = "firehose.stale_rev"
    BAD_REV = "firehose.bad_rev"
    FUTURE_REV = "firehose.future_rev"
    BAD_BLOCKS = "firehose.bad_blocks"
    NO_COMMIT = "firehose.no_commit"
    OTHER_COMMIT = "firehose.other_commit"
    BAD_SIGNATURE = "firehose.bad_signature"
    BAD_OPERATIONS = "firehose.bad_operations"
    NO_RECORD = "firehose.no_record"
    WRONG_CLAIM = "firehose.wrong_claim"
    NO_PREV_DATA = "firehose.no_prev_data"
    NOT_INVERTIBLE = "firehose.not_invertible"
    GAP = "firehose.gap"


OF_REJECTION: Final[Mapping[RejectionReason, FirehoseReason]] = {
    RejectionReason.STALE_REV: FirehoseReason.STALE_REV,
    RejectionReason.BAD_REV: FirehoseReason.BAD_REV,
    RejectionReason.FUTURE_REV: FirehoseReason.FUTURE_REV,
    RejectionReason.BAD_BLOCKS: FirehoseReason.BAD_BLOCKS,
    RejectionReason.NO_COMMIT: FirehoseReason.NO_COMMIT,
    RejectionReason.OTHER_COMMIT: FirehoseReason.OTHER_COMMIT,
    RejectionReason.BAD_SIGNATURE: FirehoseReason.BAD_SIGNATURE,
    RejectionReason.BAD_OPERATIONS: FirehoseReason.BAD_OPERATIONS,
    RejectionReason.NO_RECORD: FirehoseReason.NO_RECORD,
    RejectionReason.WRONG_CLAIM: FirehoseReason.WRONG_CLAIM,
    RejectionReason.NO_PREV_DATA: FirehoseReason.NO_PREV_DATA,
    RejectionReason.NOT_INVERTIBLE: FirehoseReason.NOT_INVERTIBLE,
    RejectionReason.GAP: FirehoseReason.GAP,
}


@dataclass(frozen=True, slots=True)
class FrameRefusal:
    """Why a frame was rejected: the reason to store, and ``detail``, the words of the parser, only for the log."""

    reason: Explanation
    detail: str = ""

    def log_fields(self) -> dict[str, str]:
        """Return the fields for the log."""
        return {"reason": str(self.reason), "detail": self.detail}


def refusal_of(wrong: Malformed) -> FrameRefusal:
    """Return the refusal of a frame that is malformed, or that verification rejected."""
    value = shortened(repr(wrong.value), MAX_VALUE)
    if isinstance(wrong, MessageRejected):
        return FrameRefusal(OF_REJECTION[wrong.reason](value=value), str(wrong))
    return FrameRefusal(FirehoseReason.MALFORMED(what=wrong.kind, value=value), str(wrong))
