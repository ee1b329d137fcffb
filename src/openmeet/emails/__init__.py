"""Composers of e-mails.

An e-mail is composed when it is sent, from the present state: notifications that no longer hold are left out, and an
e-mail without any is not sent.
"""
