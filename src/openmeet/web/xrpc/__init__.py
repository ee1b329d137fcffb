"""Lexicon queries for other apps below ``/xrpc/``, and the DID document of this site.

Read-only. A caller proxied by a PDS (``atproto-proxy``) sees what its user would see here; everyone else gets the
public view. Users are named only if their own repository says the same: hosts, and attendees whose RSVP is a record.
"""
