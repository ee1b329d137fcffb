"""Pages behind links in e-mails.

Opening a link changes nothing, because mail servers open links too: only a button does, or the POST of RFC 8058.
"""
