"""Job kinds of the platform's outbox. ``programs/outbox_dispatcher.py`` binds each of them to its handler."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from openmeet.i18n.catalogue import LazyText, lazy


class JobKind(StrEnum):
    """Kind of an outbox job. The comment next to each kind says what its subject is."""

    MAIL = "mail"  # e-mail kind, recipient, subject
    CUSTODIAL_ACCOUNT = "custodial_account"  # a user who agreed to a custodial account
    # a DID, or a handle if the request to create the account got no response
    DELETE_CUSTODIAL_ACCOUNT = "delete_custodial_account"
    REFRESH_IDENTITY = "refresh_identity"  # a DID that was reported as possibly changed
    FETCH_SUBJECT = "fetch_subject"  # the at-uri of an event that RSVPs await, or of one that more people may now see
    # a person who gained access to events, for example by joining a group, who signed in for the first time, or was
    # merged with another account
    GAINED_ACCESS = "gained_access"
    LEFT_GROUP = "left_group"  # a person who left a group or was banned from it, and may have RSVPs to its events
    # a person who took over events, a series or a group, and may have blocked others; or who blocked somebody
    APPLY_BLOCKS = "apply_blocks"
    BLOCKED_PERSON = "blocked_person"  # a person whom a moderator has blocked, and who may have RSVPs
    # the at-uri of a record whose content differs between an unsigned source and the database
    PROVE_RECORD = "prove_record"
    COMPARE_RSVPS = "compare_rsvps"  # an event whose host wants the records of all its RSVPs checked
    WEBHOOK = "webhook"  # a webhook message and its registered URL
    BACKFILL = "backfill"  # a DID whose repository is read; followed by collections if only those are read
    DETECT_SERIES = "detect_series"  # a person whose single events may form a series
    DETECT_FOREIGN_SERIES = "detect_foreign_series"  # a shadow account whose events may form a series
    CLAIMED_DATES = "claimed_dates"  # the record of a series whose author has more events than one pass reads
    FILL_SEATS = "fill_seats"  # an event whose waitlist was not moved up, or not completely, when seats were freed
    # a new date of a series with many standing RSVPs, or to which many people are invited
    NEW_DATE = "new_date"
    FAN_OUT = "fan_out"  # a change with recipients who have not been notified yet
    MOVE_RECORDS = "move_records"  # a person, and the DID of the repository that their records are moved out of
    MOVE_GROUP_RECORDS = "move_group_records"  # a group whose records now belong in another repository
    BULK_CHANGE = "bulk_change"  # a change of many rows (``bulk_changes``), and the id of their owner
    RECONCILE = "reconcile"  # a DID whose repository is compared with everything stored about it
    NOTIFY_CHAT = "notify_chat"  # a chat room with new messages
    MATRIX_ROOM = "matrix_room"  # a mirrored chat room whose messages, members or settings changed
    MATRIX_PERSON = (
        "matrix_person"  # a person who changed their name or no longer consents to having their messages mirrored
    )
    # one call to the homeserver: redact with its room and event, or join or leave with a room
    MATRIX_CALL = "matrix_call"
    # the at-uri of an abandoned key with a write in flight
    LATE_WRITE = "late_write"


# The names of the kinds for operators, in the plural.
JOB_LABELS: Final[Mapping[str, LazyText]] = {
    JobKind.MAIL: lazy("E-mails"),
    JobKind.CUSTODIAL_ACCOUNT: lazy("Accounts to create"),
    JobKind.DELETE_CUSTODIAL_ACCOUNT: lazy("Accounts to delete"),
    JobKind.REFRESH_IDENTITY: lazy("Identities to look up again"),
    JobKind.FETCH_SUBJECT: lazy("Events to read for their answers"),
    JobKind.GAINED_ACCESS: lazy("Answers to check again after people joined or signed in"),
    JobKind.LEFT_GROUP: lazy("Answers to withdraw after people left a group"),
    JobKind.APPLY_BLOCKS: lazy("Blocks to apply"),
    JobKind.BLOCKED_PERSON: lazy("Answers to withdraw after moderators blocked people"),
    JobKind.PROVE_RECORD: lazy("Records to verify"),
    JobKind.COMPARE_RSVPS: lazy("Answers to compare with their records"),
    JobKind.WEBHOOK: lazy("Webhook deliveries"),
    JobKind.BACKFILL: lazy("Repositories to read"),
    JobKind.DETECT_SERIES: lazy("People whose events may form a series"),
    JobKind.DETECT_FOREIGN_SERIES: lazy("People on other servers whose events may form a series"),
    JobKind.CLAIMED_DATES: lazy("Series records to match with their dates"),
    JobKind.FILL_SEATS: lazy("Waitlists to move up"),
    JobKind.NEW_DATE: lazy("New dates to add for people who are invited or go to all"),
    JobKind.FAN_OUT: lazy("Changes to notify people of"),
    JobKind.MOVE_RECORDS: lazy("People whose records move to another repository"),
    JobKind.MOVE_GROUP_RECORDS: lazy("Groups whose records move to another repository"),
    JobKind.BULK_CHANGE: lazy("Changes of many records"),
    JobKind.RECONCILE: lazy("Repositories to compare"),
    JobKind.NOTIFY_CHAT: lazy("Chats with new messages"),
    JobKind.MATRIX_ROOM: lazy("Chats to mirror to Matrix"),
    JobKind.MATRIX_PERSON: lazy("People to update in Matrix"),
    JobKind.MATRIX_CALL: lazy("Calls to the Matrix server"),
    JobKind.LATE_WRITE: lazy("Late records to delete"),
}
