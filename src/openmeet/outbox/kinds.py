"""Every kind of debt in the general outbox. ``programs/outbox_dispatcher.py`` binds each to its payer, exhaustively."""

from enum import StrEnum


class JobKind(StrEnum):
    """The subject of each is what its comment says."""

    MAIL = "mail"  # a row of deliveries
    CUSTODIAL_ACCOUNT = "custodial_account"  # a user who said yes
    REFRESH_IDENTITY = "refresh_identity"  # a DID marked stale by a hint
    FETCH_SUBJECT = "fetch_subject"  # the at-uri of an event that parked answers wait for, be it that it is here and opened to more people
    WAITING_ANSWERS = "waiting_answers"  # a person who has got in somewhere, with whatever answers of theirs wait
    LEFT_GROUP = "left_group"  # a person who is out of a group, with what they answered to events that they see no more
    PROVE_RECORD = "prove_record"  # the at-uri of a record of which something unsigned says otherwise than is known
    COMPARE_ANSWERS = "compare_answers"  # an event whose host wants the records of all its answers looked at
    WEBHOOK = "webhook"  # a message to an address that somebody registered
    BACKFILL = "backfill"  # a DID whose repository is read whole; behind it, collections where only those are read
    DETECT_SERIES = "detect_series"  # a person among whose single events there may be a series
    DETECT_FOREIGN_SERIES = "detect_foreign_series"  # a shadow account among whose events there may be a series
    CLAIMED_DATES = (
        "claimed_dates"  # the record of a series whose author has more events than were looked through at once
    )
    FREED_SEATS = "freed_seats"  # an event whose line one transaction did not serve
    STANDING_ANSWERS = "standing_answers"  # a new date of a series to whose every date a crowd goes
    SERIES_NEWS = "series_news"  # what a crowd is yet to be told of an act on a series
    EVENT_NEWS = "event_news"  # what a crowd is yet to be told of a change of one event
    MOVE_RECORDS = "move_records"  # a person, and the DID of the repository that what they published leaves
    RECONCILE = "reconcile"  # a DID whose repository is compared with everything kept about it
    LATE_CREATE = "late_create"  # the at-uri of a record that was given up while a create of it had no answer
