"""Composers of e-mails.

An e-mail is composed when it is sent, from the current state. Notifications that no longer apply are left out. If none
is left, no e-mail is sent.
"""
