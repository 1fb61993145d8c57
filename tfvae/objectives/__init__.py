"""Objectives: bounds on log p(x), in nats, one term for each example."""
