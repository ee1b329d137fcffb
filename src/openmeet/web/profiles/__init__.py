"""Hosts' public profiles."""
