"""Sign-in with a code sent by e-mail or with the password of one's PDS, and the session that follows.

Invariants: a code works once, for a limited time and a few tries. Neither codes nor session tokens can be recovered
from the database: codes are derived from the server's key, and only the hashes of tokens are stored. No response
reveals whether an address is known to this site.
"""
