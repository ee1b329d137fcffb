"""Job kinds of the platform's outbox. ``programs/outbox_dispatcher.py`` binds each of them to its handler."""

from enum import StrEnum


class JobKind(StrEnum):
    """Kind of an outbox job. The comment next to each kind says what its subject is."""

    MAIL = "mail"  # e-mail kind, recipient, subject
    CUSTODIAL_ACCOUNT = "custodial_account"  # a user who agreed to a custodial account
    # a DID, or a handle if the request to create the account got no response
    DELETE_CUSTODIAL_ACCOUNT = "delete_custodial_account"
    REFRESH_IDENTITY = "refresh_identity"  # a DID that was reported as possibly changed
    FETCH_SUBJECT = "fetch_subject"  # the at-uri of an event that RSVPs await, or of one that more people may now see
    WAITING_ANSWERS = "waiting_answers"  # a person who gained access to events, for example by joining a group
    LEFT_GROUP = "left_group"  # a person who left a group and may have RSVPs to events that they can no longer see
    # the at-uri of a record whose content differs between an unsigned source and the database
    PROVE_RECORD = "prove_record"
    COMPARE_ANSWERS = "compare_answers"  # an event whose host wants the records of all its RSVPs checked
    WEBHOOK = "webhook"  # a webhook message and its registered URL
    BACKFILL = "backfill"  # a DID whose repository is read; followed by collections if only those are read
    DETECT_SERIES = "detect_series"  # a person whose single events may form a series
    DETECT_FOREIGN_SERIES = "detect_foreign_series"  # a shadow account whose events may form a series
    CLAIMED_DATES = "claimed_dates"  # the record of a series whose author has more events than one pass reads
    FREED_SEATS = "freed_seats"  # an event whose waitlist did not fit into one transaction
    STANDING_ANSWERS = "standing_answers"  # a new date of a series with many standing RSVPs
    FAN_OUT = "fan_out"  # a change with recipients who have not been notified yet
    MOVE_RECORDS = "move_records"  # a person, and the DID of the repository that their records are moved out of
    RECONCILE = "reconcile"  # a DID whose repository is compared with everything stored about it
    CHAT_NEWS = "chat_news"  # a chat room with new messages
    MATRIX_ROOM = "matrix_room"  # a mirrored chat room whose messages, members or settings changed
    MATRIX_PERSON = (
        "matrix_person"  # a person who changed their name or no longer consents to having their messages mirrored
    )
    # one call to the homeserver: redact with its room and event, or join or leave with a room
    MATRIX_CALL = "matrix_call"
    LATE_CREATE = "late_create"  # the at-uri of an abandoned record with a create in flight
