"""Base64 with the URL alphabet and no padding (RFC 4648 section 5, as JOSE and did:plc use it), in canonical form only."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from at_protocol.failures import Malformed


def encode(content: bytes) -> str:
    """Encode bytes as unpadded base64url."""
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")


def decode(text: str) -> bytes:
    """Decode unpadded base64url. Raises Malformed (kind ``base64url``) for padding, spaces, other alphabets and stray
    bits.
    """
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise Malformed("base64url", text, "not base64url") from error
    # The library skips unknown characters. Only one text per content may be accepted, because otherwise anyone could
    # change the text of a signature.
    if encode(content) != text:
        raise Malformed(
            "base64url", text, "not canonical base64url: contains padding, spaces, stray bits or other characters"
        )
    return content
