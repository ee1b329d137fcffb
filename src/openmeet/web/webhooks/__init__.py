"""Webhooks: registration, deliveries and payloads."""
