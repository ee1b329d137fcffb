"""Every kind of debt in the general outbox. ``programs/publisher.py`` binds each to its payer, exhaustively."""

from enum import StrEnum


class Debt(StrEnum):
    """The subject of each is what its comment says."""

    MAIL = "mail"  # a row of deliveries
    CUSTODIAL_ACCOUNT = "custodial_account"  # a user who said yes
    REFRESH_IDENTITY = "refresh_identity"  # a DID marked stale by a hint
    FETCH_SUBJECT = "fetch_subject"  # the at-uri of an event that parked answers wait for
    WEBHOOK = "webhook"  # a message to an address that somebody registered
    BACKFILL = "backfill"  # a DID whose repository is read whole
