"""Slugs, and links that a host replaced. Replaced links redirect only people with access, and their slugs are never
reused.

Replaced links are stored as hashes, because a slug contains words of a title, which must be erasable.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

import regex

from groundwork.database.transaction import Reader, Transaction

# No look-alikes. The slug may be all that protects an unlisted event, and a public event can become unlisted later.
# Therefore every slug has ten random characters: 820 million million per title, too many to guess or to exhaust.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_RANDOM_CHARACTERS = 10
_LONGEST = 48


def slug_words(title: str, *, otherwise: str) -> str:
    """The title's words joined by hyphens, or ``otherwise`` if the title has no letter or digit."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    # An accent on a Latin letter can be dropped. In other scripts a mark is part of the letter (й, ガ) or a vowel (हि,
    # กี).
    plain = unicodedata.normalize("NFC", regex.sub(r"(?<=\p{Latin})\p{M}+", "", plain))
    # A mark after anything but a letter is part of a symbol (☀️, 1️⃣, ¨), and symbols are left out.
    plain = regex.sub(r"(?<!\p{L}\p{M}*)\p{M}+", "", plain)
    return regex.sub(r"[^\p{L}\p{N}\p{M}]+", "-", plain).strip("-")[:_LONGEST].strip("-") or otherwise


def new_slug(title: str, *, otherwise: str) -> str:
    """The title's words and a random part, because titles repeat and unlisted pages must not be guessable."""
    noise = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return f"{slug_words(title, otherwise=otherwise)}-{noise}"


class LinkKind(StrEnum):
    """The kind of subject that a slug identifies."""

    EVENT = "event"
    SERIES = "series"
    GROUP = "group"


async def retire(tx: Transaction, kind: LinkKind, links: Sequence[tuple[str, str]]) -> None:
    """Retire these slugs, given with the ids of their subjects."""
    await tx.execute_many(
        "insert into retired_slugs (kind, slug_hash, subject_id, retired_at) values (:kind, :hash, :subject_id, :now)"
        " on conflict (kind, slug_hash) do nothing",
        [
            {"kind": kind.value, "hash": hash_of(slug), "subject_id": subject_id, "now": tx.now}
            for slug, subject_id in links
        ],
    )


async def subject_of(reader: Reader, kind: LinkKind, slug: str) -> str | None:
    """The subject id of a retired slug. None if it was never retired."""
    row = await reader.fetch_one(
        "select subject_id from retired_slugs where kind = :kind and slug_hash = :hash",
        kind=kind.value,
        hash=hash_of(slug),
    )
    return None if row is None else str(row["subject_id"])


def hash_of(slug: str) -> str:
    """The stored hash of a slug."""
    return hashlib.sha256(slug.encode()).hexdigest()
