"""Pages that links in e-mails open.

Opening a link changes nothing, because mail servers open links too. Only a button, or the POST of RFC 8058, has an
effect.
"""
