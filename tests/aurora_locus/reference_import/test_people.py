"""The rows of an imported account."""

import sqlite3

from aurora_locus.accounts import queries
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.reference_import.people import KEPT_AFTER_IMPORT, ReferenceAccount, keep_person
from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database
from tests.aurora_locus.hosted_repository import HostedRepository


async def test_deactivated_account_is_not_deleted_right_after_the_import(
    db: Database, ada: HostedRepository, clock: HandClock
) -> None:
    """The reference PDS keeps deactivated accounts whose deadline has passed. Their owners have some time to come back,
    and the operator to go back.
    """
    imported_at = clock.now()
    long_ago = Instant(imported_at - 300 * DAY)
    person = ReferenceAccount(
        did=ada.did,
        handle="ada.test",
        email=None,
        email_confirmed_at=None,
        password_hash=None,
        created_at=long_ago,
        takedown_ref=None,
        deactivated_at=long_ago,
        delete_after=Instant(long_ago + 3 * DAY),
        invites_disabled=False,
        commit=None,
        rev=None,
    )
    old = sqlite3.connect(":memory:", check_same_thread=False)
    old.executescript("""
        create table app_password (did, name, passwordScrypt, createdAt, privileged);
        create table refresh_token (did, id, expiresAt, nextId, appPasswordName);
        create table email_token (did, purpose, token, requestedAt);
    """)
    await db.write(lambda w: keep_person(w, old, EmailTokens(b"key"), person))
    old.close()
    async with db.reader() as reader:
        assert await queries.to_delete(reader, Instant(imported_at + KEPT_AFTER_IMPORT - 1)) == []
        assert await queries.to_delete(reader, Instant(imported_at + KEPT_AFTER_IMPORT)) == [ada.did]
