"""Lexicon queries for other apps below ``/xrpc/``, and the DID document that names this site.

Read-only. A caller that comes through a PDS (``atproto-proxy``) sees what its person would see here, everybody else what a
stranger sees. People are named only where their own repository says the same: hosts, and attendees whose RSVP is a record.
"""
