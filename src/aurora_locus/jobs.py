"""Kinds of outbox jobs of this server (``groundwork.outbox``); ``app`` binds each kind to its handler."""

from enum import StrEnum


class PdsJobKind(StrEnum):
    """The comment of each kind names its subject."""

    MAIL = "mail"  # an e-mail: ``email_tokens.letter``
    NOTICE = "notice"  # an e-mail from the host: ``moderation.notices``
    MOVE = "move"  # a DID: its migration to another server, state in ``moves``
