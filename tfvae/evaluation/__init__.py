"""Evaluation: likelihoods in nats."""
