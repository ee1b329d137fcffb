"""Who is told what, once: one row per person, kind, subject and revision of the subject."""
