"""Notifications: one row per user, kind, subject and revision of the subject, so that nobody is notified twice.

``preferences`` holds users' choices, ``emails`` decides which notifications go into which e-mail and when, and
``email_links`` has the URLs that work without signing in. ``openmeet.emails.notifications`` renders the text.
"""
