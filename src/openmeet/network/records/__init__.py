"""Records: how each collection is read and written, and each record as it was last seen.

Reading is tolerant: what cannot be mapped is kept raw with the reason. Writing is careful: only the fields that are
ours change, all others go back as they came. ``seen`` owns the tables ``records``, ``repositories`` and
``subjects``; everything else here is pure.
"""
