"""TLS towards servers: the certificates of authorities that this machine trusts."""

import os
import ssl
from functools import lru_cache


def trusted_authorities() -> ssl.SSLContext:
    """The TLS context of clients, with the authorities from OpenSSL's paths, or from ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``.

    Loading takes 20 ms, so the clients of a process share one context: do not change it.
    """
    return _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _trusted(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return ssl.create_default_context()
