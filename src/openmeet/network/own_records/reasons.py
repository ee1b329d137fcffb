"""Reasons why a change of a person's own record is refused."""

from groundwork.errors import Reason


class OwnRecordReason(Reason):
    """Reason codes. Their messages are in ``i18n/reasons/records.py``."""

    CANNOT_BE_CHANGED = "own_record.cannot_be_changed"
    TITLE_NEEDED = "own_record.title_needed"
    TOO_LONG = "own_record.too_long"
    ENDS_BEFORE_START = "own_record.ends_before_start"
    CHOOSE_OFFERED = "own_record.choose_offered"
    NO_SUCH_RECORD = "own_record.no_such_record"
    NO_EVENT_RECORD = "own_record.no_event_record"
    NOT_AN_EVENT_ADDRESS = "own_record.not_an_event_address"
    EVENT_ADDRESS_NEEDED = "own_record.event_address_needed"
    ANSWERS_NOT_PUBLIC = "own_record.answers_not_public"
    NO_SUCH_EVENT = "own_record.no_such_event"
    ANSWERED_ALREADY = "own_record.answered_already"
    CHOOSE_AN_ANSWER = "own_record.choose_an_answer"
    CHANGED_SINCE_OPENED = "own_record.changed_since_opened"
    UNREADABLE_FOR_APPS = "own_record.unreadable_for_apps"
