"""Moving an account from one PDS to another, as its owner: the steps of it, each of which can be done again.

Source: the atproto account migration guide. Nothing is remembered between two attempts but what both servers say: an account
that is there is signed into, a repository that is the same is left, blobs that are there are not fetched, an identity that
names the new server is not changed. So whatever interrupts a move, the same call goes on where it stopped. No secret is
written down. ``moving.run`` does the steps in their order; each can be called by itself.
"""
