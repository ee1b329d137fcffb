"""Change the e-mail address that a person signs in with."""

from typing import Final

from groundwork.database.transaction import Transaction
from groundwork.signing_key import SigningKey
from openmeet.domain.notifications import email_links
from openmeet.domain.users import queries
from openmeet.domain.users.model import UserId
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import enqueue_email

EMAIL_CHANGED_MAIL: Final = "email_changed"


async def change_email(tx: Transaction, key: SigningKey, user_id: UserId, email: str) -> bool:
    """Replace a person's address with one that they have proved and that belongs to nobody
    (``account_merge.actions.prove_email``). The former address gets an e-mail about it, and links in earlier e-mails end.
    False if they had no address.
    """
    former = await queries.replace_email(tx, user_id, email)
    if former is None:
        return False
    # They work without signing in, and somebody else may read the former mailbox.
    await email_links.revoke_all(tx, user_id)
    # Like signing up, this accepts e-mail at the new address.
    await email_suppressions.opt_in(tx, key, email)
    # A person can return to an address and leave it again. Each change is another e-mail.
    await enqueue_email(tx, kind=EMAIL_CHANGED_MAIL, person=former, subject_id=f"{user_id}.{tx.now}")
    return True


def user_of_change(subject_id: str) -> UserId:
    """The user that an ``EMAIL_CHANGED_MAIL`` is about."""
    return UserId(subject_id.partition(".")[0])
