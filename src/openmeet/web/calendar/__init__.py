"""The user's calendar, its subscriptions and its private feed."""
