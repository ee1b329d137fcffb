"""Notifications: one row per user, kind, subject and revision of the subject, so nobody is notified twice.

``preferences`` holds users' choices, ``emails`` which notifications go into which e-mail and when, ``links`` the
addresses that work without signing in. ``openmeet.emails.notifications`` renders the text.
"""
