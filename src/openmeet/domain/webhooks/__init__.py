"""Webhooks: registered by a user for what concerns them, or for a group by its admins.

A delivery is a row in the transaction of the change. It names the subject; the content is read when it is sent, as the
webhook's owner may see it at that moment (invariant 3). Requests are signed (Standard Webhooks 1.0: HMAC-SHA256 over
id, timestamp and body), retried with back-off, and go to public addresses only (invariant 7). A webhook that fails for
days is switched off, and its owner is notified.
"""
