"""Signing in by a code sent by e-mail or by the password of one's PDS, and the session that follows.

Invariants: a code works once, for a limited time and a handful of tries; neither codes nor session tokens are stored in
a form that the database alone could give away; no reply tells whether an address is known here.
"""
