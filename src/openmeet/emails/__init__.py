"""Composers of e-mails.

An e-mail is composed when it is sent, from the current state: notifications that no longer apply are left out, and an
e-mail with no notifications left is not sent.
"""
