"""Webhooks, registered by a user for changes that concern them, or by admins for their group.

A delivery is a row written in the transaction of the change. It only identifies the subject: the content is read when
the delivery is sent, as the webhook's owner may see it at that moment (invariant 3). Requests are signed (Standard
Webhooks 1.0: HMAC-SHA256 over id, timestamp and body), retried with back-off, and sent only to public addresses
(invariant 7). A webhook that fails for days is turned off, and its owner is notified.
"""
