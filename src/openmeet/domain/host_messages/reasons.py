"""Reasons for refusals and invalid input in host messages."""

from groundwork.errors import Reason


class HostMessageReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    TEXT_NEEDED = "host_message.text_needed"
    MOMENT_OVER = "host_message.moment_over"
    NOT_PUBLISHED = "host_message.not_published"
    TOO_MANY_MESSAGES = "host_message.too_many_messages"
    NOBODY_TO_REACH = "host_message.nobody_to_reach"
    NO_SUCH_MESSAGE = "host_message.no_such_message"
    ALREADY_SENT = "host_message.already_sent"
    AUDIENCE_NEEDED = "host_message.audience_needed"
    MOMENT_TOO_FAR = "host_message.moment_too_far"
    ALREADY_WRITTEN = "host_message.already_written"
