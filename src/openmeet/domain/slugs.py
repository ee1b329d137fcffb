"""Addresses that people can read, and links that a host replaced: those lead only who belongs there on, and are nobody else's later.

Replaced links are kept as hashes: a link has the words of a title in it, which must be able to go.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

import regex

from groundwork.database.transaction import Reader, Transaction

# Without look-alikes. An address may be all that guards an unlisted event, and a public one may become unlisted later, so
# every address has ten: 820 million million per title, which nobody finds by asking and strangers' titles do not exhaust.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_RANDOM_CHARACTERS = 10
_LONGEST = 48


def words_of(title: str, *, otherwise: str) -> str:
    """The title's words with hyphens between them; ``otherwise`` where it has no letter or digit."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    # An accent on a Latin letter may go; elsewhere a mark is a part of the letter (й, ガ) or a vowel (हि, กี).
    plain = unicodedata.normalize("NFC", regex.sub(r"(?<=\p{Latin})\p{M}+", "", plain))
    # Behind anything but a letter it is a part of a sign (☀️, 1️⃣, ¨), and signs are left out.
    plain = regex.sub(r"(?<!\p{L}\p{M}*)\p{M}+", "", plain)
    return regex.sub(r"[^\p{L}\p{N}\p{M}]+", "-", plain).strip("-")[:_LONGEST].strip("-") or otherwise


def new_slug(title: str, *, otherwise: str) -> str:
    """The words, with a random part: titles repeat, and what is unlisted must not be guessable."""
    noise = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return f"{words_of(title, otherwise=otherwise)}-{noise}"


class LinkKind(StrEnum):
    """What a link leads to."""

    EVENT = "event"
    SERIES = "series"
    GROUP = "group"


async def retire(tx: Transaction, kind: LinkKind, links: Sequence[tuple[str, str]]) -> None:
    """These slugs, each with the id of what it led to, lead nowhere from now on."""
    await tx.execute_many(
        "insert into retired_slugs (kind, slug_hash, subject_id, retired_at) values (:kind, :hash, :subject_id, :now)"
        " on conflict (kind, slug_hash) do nothing",
        [
            {"kind": kind.value, "hash": hash_of(slug), "subject_id": subject_id, "now": tx.now}
            for slug, subject_id in links
        ],
    )


async def subject_of(reader: Reader, kind: LinkKind, slug: str) -> str | None:
    """The id of what this slug led to; None where it was never replaced."""
    row = await reader.fetch_one(
        "select subject_id from retired_slugs where kind = :kind and slug_hash = :hash",
        kind=kind.value,
        hash=hash_of(slug),
    )
    return None if row is None else str(row["subject_id"])


def hash_of(slug: str) -> str:
    """What is kept of a slug."""
    return hashlib.sha256(slug.encode()).hexdigest()
