"""Webhooks: registered by a person for what concerns them, or for a group by those who run it.

A delivery is a row in the transaction of what happened. It names the subject, not its content: that is read when it is sent, as the
owner of the webhook may see it at that moment (invariant 3). Requests are signed (Standard Webhooks 1.0: HMAC-SHA256 over id,
timestamp and body), retried with growing pauses, and go to public addresses only (invariant 7). A webhook that fails for days is
switched off, and its owner is told.
"""
