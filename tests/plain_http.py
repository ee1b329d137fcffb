"""For test clients that only speak plain HTTP on loopback: httpx reads the authorities for each, longer than many a test lasts."""

import ssl

# Believes nobody.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
