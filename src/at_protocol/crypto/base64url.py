"""Base64 with the URL alphabet and no padding (RFC 4648 section 5, as JOSE and did:plc use it); one text per content."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from at_protocol.failures import Malformed


def encode(content: bytes) -> str:
    """The text of some bytes."""
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of a text; raises Malformed (kind ``base64url``) for padding, spaces, other alphabets and stray bits."""
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise Malformed("base64url", text, "not base64url") from error
    # The library skips unknown characters; one content must have one text, else anybody could rewrite a signature.
    if encode(content) != text:
        raise Malformed(
            "base64url", text, "not base64url in its one form: padding, spaces, stray bits or other characters"
        )
    return content
