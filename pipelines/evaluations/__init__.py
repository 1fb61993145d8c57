"""What `pipelines.evaluate` measures, shows and writes."""
