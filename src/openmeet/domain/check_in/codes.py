"""The code on a ticket: twelve letters and digits that can be read out, typed and scanned. Pure.

Four of them name the answer among those of its event, eight prove that the ticket was made here (40 bits, of use to hosts alone).
"""

import re

from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.model import AttendanceId

# Without letters that are read as digits (Crockford's base 32).
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("ILOU", "110V")

# The random end of an identifier that the first four characters stand for: 20 bits.
_TAIL = 5


def code_of(key: SigningKey, attendance_id: AttendanceId) -> str:
    """``7KQM-4T2P-9XAB``."""
    proof = key.digest(b"ticket\x00" + attendance_id.encode())
    text = _in_letters(int(attendance_id[-_TAIL:], 16), 4) + _in_letters(int.from_bytes(proof[:5]), 8)
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def read(text: str) -> str | None:
    """The code in what was typed or scanned (the address on a ticket included); None where there is none."""
    typed = text.strip().rpartition("code=")[2].upper().translate(_MISREAD)
    letters = re.sub(r"[\s-]", "", typed)
    if len(letters) != 12 or any(letter not in _ALPHABET for letter in letters):
        return None
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def tail_of(code: str) -> str:
    """How the identifiers end that a code can be of."""
    number = 0
    for letter in code[:4]:
        number = number * 32 + _ALPHABET.index(letter)
    return f"{number:0{_TAIL}x}"


def is_of(key: SigningKey, code: str, attendance_id: AttendanceId) -> bool:
    """Whether the ticket is this answer's."""
    return key.made(code, lambda one: code_of(one, attendance_id))


def _in_letters(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))
