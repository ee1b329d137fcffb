"""Addresses that people can read."""

import secrets
import unicodedata

import regex

# Without look-alikes; five of them make 33 million addresses per title.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_RANDOM = 5
_LONGEST = 48


def words_of(title: str, *, otherwise: str) -> str:
    """The title's words with hyphens between them; ``otherwise`` where it has no letter or digit."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    words = regex.sub(r"[^\p{L}\p{N}]+", "-", regex.sub(r"\p{M}", "", plain)).strip("-")[:_LONGEST].strip("-")
    return words or otherwise


def new_slug(title: str, *, otherwise: str) -> str:
    """The words, with a random part: titles repeat, and what is unlisted must not be guessable."""
    noise = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return f"{words_of(title, otherwise=otherwise)}-{noise}"
