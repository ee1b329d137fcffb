"""A user's settings: profile, identities, consent to publish, API tokens, account merge, data export."""
