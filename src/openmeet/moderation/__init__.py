"""What the site shows to nobody and why; reports; whom people keep away from themselves; who moderates; what was done.

Four rules. One row per subject says how it stands, and one condition (``standing.is_withheld``) leaves out what is withheld, so
that whatever asks it obeys. Every act of a moderator is a line of a log to which the database only lets lines be added.
Every act can be taken back once, which is another line. Nobody but moderators learns who reported something.
"""
