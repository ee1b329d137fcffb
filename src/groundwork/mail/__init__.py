"""Outgoing e-mail with two drivers: ``folder`` stores it for a page (development), ``smtp`` sends it.

E-mails are sent by outbox jobs, never from inside a request.
"""
