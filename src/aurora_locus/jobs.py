"""Everything that this server can owe to the outside (``groundwork.outbox``); ``app`` binds each kind to its payer."""

from enum import StrEnum


class PdsJobKind(StrEnum):
    """The subject of each is what its comment says."""

    MAIL = "mail"  # a letter: ``email_tokens.letter``
    NOTICE = "notice"  # a letter of the host: ``moderation.notices``
    MOVE = "move"  # a DID: how far its move to another server is, ``moves`` says
