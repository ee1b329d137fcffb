"""Notifications: one row per person, kind, subject and revision of the subject, so nobody is told twice.

``preferences`` is what people chose, ``emails`` which notifications go into which e-mail and when, ``links`` the addresses
that work without signing in. The text is written by ``openmeet.emails.notifications``.
"""
