"""The command-line programs: each is `python -m pipelines.NAME`."""
