"""Who is told what, once: one row per person, kind, subject and revision of the subject.

``preferences`` is what people chose about it, ``mails`` which news go into which mail and when, ``links`` the addresses in mails
that work without signing in. What a mail says is the room ``letters``, far above: it reads events, answers and calendars.
"""
