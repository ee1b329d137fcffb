"""Convert signatures from the protocol's 64 bytes to the DER form of curve libraries (RFC 3279, section 2.2.3)."""


def _integer(number: int) -> bytes:
    # One byte more than needed for the bits if the top one is set: DER integers are signed.
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes((2, len(content))) + content


def from_compact(r: int, s: int) -> bytes:
    """The DER form of a signature whose numbers are within a 256-bit curve's order."""
    body = _integer(r) + _integer(s)
    return bytes((0x30, len(body))) + body
