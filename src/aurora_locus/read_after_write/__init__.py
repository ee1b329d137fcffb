"""Read-after-write: adds the caller's newest records to app view responses that do not include them yet.

An app view states with ``atproto-repo-rev`` up to which commit it has indexed the caller's repository. Newer records are read
from the repository here and inserted as the app view will show them in a moment. Only their author sees them, nothing is
stored, and a response that cannot be parsed is passed on unchanged.
"""
