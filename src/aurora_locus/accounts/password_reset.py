"""Password reset with an e-mailed token. It does not reveal which addresses exist, and ends every session of the old
password.
"""

import asyncio

from at_protocol.syntax.did import Did
from aurora_locus.accounts import email_tokens, password_guesses, queries, sessions, sign_in_links
from aurora_locus.accounts.email_tokens import TokenPurpose, TokenVerdict
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sign_in_source import SignInSource
from groundwork.database.transaction import Writer

# Longer than storing a token takes, so that the response time reveals nothing either.
LEAST_SECONDS = 0.35


async def send_token(registry: Registry, typed_email: str) -> None:
    """Send a token if an account has this address. Raises Refused only if this server sends no e-mail at all.

    No second token is sent while one is valid. Otherwise anyone could fill the owner's mailbox and replace the code
    that the owner is about to type.
    """
    registry.require_mail()
    loop = asyncio.get_running_loop()
    answers_at = loop.time() + LEAST_SECONDS
    email = typed_email.strip().lower()
    async with registry.db.reader() as reader:
        account = await queries.find_by_email(reader, email)
    if account is not None:
        async with registry.db.transaction() as tx:
            if not await email_tokens.is_waiting(tx, account.did, TokenPurpose.RESET_PASSWORD):
                await email_tokens.enqueue_token(tx, registry.email_tokens, account.did, TokenPurpose.RESET_PASSWORD)
    await asyncio.sleep(answers_at - loop.time())


async def change(registry: Registry, did: Did, password: str) -> None:
    """Set the password of an owner who has proven their identity, and end every session. Raises InvalidInput."""
    registry.passwords.require_acceptable(password)
    password_hash = await registry.passwords.hash(password)

    await registry.db.write(lambda w: replace_password(w, registry, did, password_hash))


async def reset(registry: Registry, token: str, password: str, source: SignInSource) -> None:
    """Set the password and end every session. ``source`` becomes a known one, because its user received the e-mail.
    Raises InvalidInput for the password, NotSignedIn for the token.
    """
    registry.passwords.require_acceptable(password)
    password_hash = await registry.passwords.hash(password)

    def work(w: Writer) -> TokenVerdict:
        verdict, did = email_tokens.spend_by_token(w, registry.email_tokens, TokenPurpose.RESET_PASSWORD, token)
        if did is not None:
            replace_password(w, registry, did, password_hash)
            password_guesses.note(w, registry.guess_context, did, source)
        return verdict

    email_tokens.require_valid(await registry.db.write(work))


def replace_password(w: Writer, registry: Registry, did: Did, password_hash: str) -> None:
    """Store the new hash, and end everything that was opened or requested with the old password."""
    queries.set_password(w, did, password_hash)
    sessions.end_all(w, did)
    email_tokens.drop_all(w, did)
    sign_in_links.forget(w, did)
    password_guesses.forget(w, did)
    w.after_commit(lambda: registry.repositories.forget_head(did))
