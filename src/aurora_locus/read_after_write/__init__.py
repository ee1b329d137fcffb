"""What people have just written, shown to them in what an app view answers before it has read it.

An app view says with ``atproto-repo-rev`` up to which commit it has read the caller's repository. What is newer is taken
from the repository here and put into the answer, as the app view will show it in a moment. Nobody but the author sees
these, nothing is stored, and an answer that cannot be understood is passed on as it came.
"""
