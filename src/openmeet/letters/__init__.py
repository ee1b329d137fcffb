"""Mail about events, and the pages behind its links.

What a mail says is decided when it is sent, from the present: news that are no longer true are left out, and a mail without news is
not sent. Opening a link changes nothing, because mail servers open them too; only a button, or a mail program that sends the
POST of RFC 8058, does.
"""
