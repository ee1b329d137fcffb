"""Registering webhooks, their deliveries and payloads."""
