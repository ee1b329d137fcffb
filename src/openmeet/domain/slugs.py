"""Addresses that people can read."""

import secrets
import unicodedata

import regex

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
