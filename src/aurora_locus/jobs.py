"""Kinds of outbox jobs of this server (``groundwork.outbox``). ``app`` binds each kind to its handler."""

from enum import StrEnum


class PdsJobKind(StrEnum):
    """Kinds of jobs. The comment on each kind describes its subject."""

    MAIL = "mail"  # the id of an e-mail: ``email_tokens.email_id``
    NOTICE = "notice"  # the id of an e-mail from the host: ``moderation.notices``
    MOVE = "move"  # the DID of an account that migrates to another server; its state is in ``moves``
