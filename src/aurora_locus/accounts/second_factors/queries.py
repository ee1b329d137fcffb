"""Queries for the second factors of an account."""

from at_protocol.syntax.did import Did
from aurora_locus.accounts.second_factors import passkeys
from aurora_locus.accounts.second_factors.model import Factors
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction, Writer

_FIND = """
    select (select confirmed_at from totp_secrets where did = :did) as totp_since,
           (select created_at from mail_factors where did = :did) as mail_since,
           (select count(*) from recovery_codes where did = :did) as codes
"""
_ARE_SET = """
    select 1 from totp_secrets where did = :did and confirmed_at is not null
    union all select 1 from passkeys where did = :did
    union all select 1 from mail_factors where did = :did
"""
_MAIL_ON = "insert into mail_factors (did, created_at) values (:did, :now) on conflict (did) do nothing"
_MAIL_OFF = "delete from mail_factors where did = :did"
_TABLES = ("totp_secrets", "passkeys", "mail_factors", "recovery_codes")


async def find(reader: Reader, did: Did) -> Factors:
    """Every second factor of an account."""
    row = await reader.fetch_one(_FIND, did=did)
    if row is None:
        raise LookupError("a select without a table answers with a row")
    totp, mail = row["totp_since"], row["mail_since"]
    return Factors(
        None if totp is None else Instant(totp),
        tuple(await passkeys.of_account(reader, did)),
        None if mail is None else Instant(mail),
        int(row["codes"]),
    )


async def remove_all(tx: Transaction, did: Did) -> bool:
    """Remove every second factor and the recovery codes. Return False if there were none."""
    removed_counts = [await tx.execute(f"delete from {table} where did = :did", did=did) for table in _TABLES]
    return any(removed_counts)


def are_set(w: Writer, did: Did) -> bool:
    """Whether sign-in requires a second factor."""
    return w.fetch_one(_ARE_SET, did=did) is not None


def set_mail(w: Writer, did: Did, *, is_on: bool) -> None:
    """Switch codes by e-mail on or off for an account."""
    if is_on:
        w.execute(_MAIL_ON, did=did, now=w.now)
    else:
        w.execute(_MAIL_OFF, did=did)
