"""What other apps of the network may ask this site, by Lexicon: queries below ``/xrpc/``, and the DID under which it is named.

It only reads. Who calls through their repository's server (``atproto-proxy``) sees what they would see here, decided where pages
decide it (``events.seeing``, ``series.agenda``, ``groups.rules``); everybody else sees what a stranger sees. Of people it names
those alone whose own repository says the same already: whoever hosts, as on the event's page, and whose answer is a record.
"""
