"""Reasons why something from the network could not be read or changed."""

from groundwork.errors import Reason


class IngestionReason(Reason):
    """Why something from the network could not be read, applied or decided. The messages are in
    ``i18n/reasons/records.py``.
    """

    NO_SUCH_SERIES = "ingestion.no_such_series"
    HOSTS_ONLY = "ingestion.hosts_only"
    NO_SUCH_DECISION = "ingestion.no_such_decision"
    NOT_REVERSIBLE = "ingestion.not_reversible"
    NO_PICTURE = "ingestion.no_picture"
    NO_PDS = "ingestion.no_pds"
    OTHER_BYTES = "ingestion.other_bytes"
    NOT_A_RECORD_URI = "ingestion.not_a_record_uri"
    REV_AHEAD = "ingestion.rev_ahead"
    OUTDATED = "ingestion.outdated"
    NO_REV = "ingestion.no_rev"
    NOT_SERVED_COMPLETELY = "ingestion.not_served_completely"
    CLOCK_AHEAD = "ingestion.clock_ahead"
    UNREADABLE_RECORDS = "ingestion.unreadable_records"
    NO_SUCH_FLAG = "ingestion.no_such_flag"
    WHY_NEEDED = "ingestion.why_needed"
    COLLECTION_NOT_READ = "ingestion.collection_not_read"
    TOO_MANY_ACCOUNTS = "ingestion.too_many_accounts"
    INVALID_ANSWER = "ingestion.invalid_answer"
    TOO_MANY_RECORDS = "ingestion.too_many_records"
    NO_SUCH_MESSAGE = "ingestion.no_such_message"
    MALFORMED_MESSAGE = "ingestion.malformed_message"
