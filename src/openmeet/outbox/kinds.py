"""Job kinds of the platform's outbox. ``programs/outbox_dispatcher.py`` binds each to its handler, exhaustively."""

from enum import StrEnum


class JobKind(StrEnum):
    """Kind of an outbox job. The comment beside each kind says what its subject is."""

    MAIL = "mail"  # e-mail kind, recipient, subject
    CUSTODIAL_ACCOUNT = "custodial_account"  # a user who agreed to a custodial account
    DELETE_CUSTODIAL_ACCOUNT = "delete_custodial_account"  # a DID, or a handle whose creation was not answered
    REFRESH_IDENTITY = "refresh_identity"  # a DID marked stale by a hint
    FETCH_SUBJECT = "fetch_subject"  # the at-uri of an event with pending RSVPs, or of one opened to more people
    WAITING_ANSWERS = "waiting_answers"  # a person who gained access to events, for example by joining a group
    LEFT_GROUP = "left_group"  # a person who left a group, for their RSVPs to events that they can no longer see
    PROVE_RECORD = "prove_record"  # the at-uri of a record about which an unsigned source differs from what is stored
    COMPARE_ANSWERS = "compare_answers"  # an event whose host wants the records of all its RSVPs checked
    WEBHOOK = "webhook"  # a message to an address that somebody registered
    BACKFILL = "backfill"  # a DID whose repository is read whole; then collections, where only those are read
    DETECT_SERIES = "detect_series"  # a person whose single events may form a series
    DETECT_FOREIGN_SERIES = "detect_foreign_series"  # a shadow account whose events may form a series
    CLAIMED_DATES = "claimed_dates"  # the record of a series whose author has more events than one pass looks at
    FREED_SEATS = "freed_seats"  # an event whose waitlist did not fit into one transaction
    STANDING_ANSWERS = "standing_answers"  # a new date of a series with many standing RSVPs
    FAN_OUT = "fan_out"  # a change with recipients left to notify
    MOVE_RECORDS = "move_records"  # a person, and the DID of the repository that their records leave
    RECONCILE = "reconcile"  # a DID whose repository is compared with everything stored about it
    CHAT_NEWS = "chat_news"  # a chat room with new messages
    MATRIX_ROOM = "matrix_room"  # a mirrored chat room whose log, people or settings changed
    MATRIX_PERSON = (
        "matrix_person"  # a person who withdrew their consent to mirror their messages, or changed their name
    )
    MATRIX_CALL = "matrix_call"  # one call to the homeserver: redact and its room and event, join or leave and a room
    LATE_CREATE = "late_create"  # the at-uri of an abandoned record with a create in flight
