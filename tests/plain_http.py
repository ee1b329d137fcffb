"""A TLS context for test clients that only use plain HTTP on loopback: for each client, httpx would load the
certificate authorities, which takes longer than many tests.
"""

import ssl

# Trusts no certificate authority.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
