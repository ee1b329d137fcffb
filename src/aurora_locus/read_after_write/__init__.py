"""Read-after-write: adds the caller's newest records to app view responses that do not include them yet.

With ``atproto-repo-rev``, an app view states up to which commit it has indexed the caller's repository. Newer records
are read from this server's repository and inserted in the form in which the app view will soon show them. Only their
author sees them, nothing is stored, and a response that cannot be parsed is passed on unchanged.
"""
