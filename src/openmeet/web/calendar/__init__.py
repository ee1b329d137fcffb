"""My calendar, its subscriptions and its private feed."""
