"""Records: how each collection is read and written, and each record as last seen.

Reading is tolerant: what cannot be mapped is kept raw, with the reason. Writing changes only our own fields and leaves
all others as they are. ``seen`` owns the tables ``records``, ``repositories`` and ``record_subjects``; most other
modules are pure.
"""
