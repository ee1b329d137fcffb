"""Base58 with Bitcoin's alphabet (multibase prefix ``z``). Each leading zero byte becomes a leading ``1`` character."""

from at_protocol.failures import Malformed

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
# Keys have at most 66 bytes, which is 91 characters. Without a limit, long texts would be slow: converting a number
# takes quadratic time in its length.
MAX_CHARACTERS = 256


def encode(content: bytes) -> str:
    """Encode bytes as Base58."""
    number = int.from_bytes(content, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(content) - len(content.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Decode Base58 text. Raises Malformed (kind ``base58``)."""
    if len(text) > MAX_CHARACTERS:
        raise Malformed("base58", text, f"longer than {MAX_CHARACTERS} characters")
    number = 0
    for character in text:
        digit = _VALUES.get(character)
        if digit is None:
            raise Malformed("base58", text, "contains a character outside the base58 alphabet")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
