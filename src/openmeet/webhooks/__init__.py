"""Addresses that are told what happens: registered by a person for what concerns them, or for a group by those who run it.

A delivery is a row in the transaction of what happened. It names the subject, never the words: those are read when it is sent, as its
owner may see them at that moment, so that nothing leaves here that they may not see (invariant 3). Requests are signed
(Standard Webhooks 1.0: HMAC-SHA256 over id, timestamp and body), repeated with growing pauses, and go to public addresses only
(invariant 7). An address that fails for days is switched off, and its owner is told.
"""
