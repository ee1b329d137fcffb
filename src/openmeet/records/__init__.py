"""Records of the network: how one is understood, how one is written, and each as it was last seen.

Reading is tolerant: what cannot be mapped is kept raw with the reason. Writing is careful: only the fields that are
ours change, every other one goes back as it came. ``seen`` owns the tables ``records``, ``repositories`` and
``subjects``; everything else here is pure.
"""
