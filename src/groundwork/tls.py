"""TLS for outgoing connections: the certificate authorities that this machine trusts."""

import os
import ssl
from functools import lru_cache


def trusted_authorities() -> ssl.SSLContext:
    """Return the TLS context of clients, with the authorities from OpenSSL's paths, or ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``.

    Loading takes 20 ms, so all clients of a process share one context. Do not change it.
    """
    return _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _trusted(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return ssl.create_default_context()
