"""Lexicon queries for other apps below ``/xrpc/``, and the DID document of this site.

Read-only. A caller proxied by a PDS (``atproto-proxy``) gets the view of the user with the same DID on this site.
Everyone else gets the public view. Users are named only if their own repository confirms their role: hosts, and
attendees whose RSVP is a record.
"""
