"""Composing e-mails.

The text is decided when an e-mail is sent, from the present state: notifications that are no longer true are left out, and an e-mail
without any is not sent.
"""
