"""Conditions: what is known of an example beside it, as the networks and the prior read it."""
