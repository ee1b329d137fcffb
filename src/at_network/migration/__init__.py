"""Account migration from one PDS to another, run by the account's owner in repeatable steps.

Source: the atproto account migration guide. Between two attempts, state is kept only on the servers: if the account
exists, the migration signs in to it; an identical repository is not imported again; existing blobs are not fetched; an
identity that already names the new server is not changed. After any interruption, the same call continues. No secret is
written to disk. ``migrate`` runs the steps in order; each step can also be called separately.
"""
