"""The table of members: what `python -m pipelines.members` is made of."""
