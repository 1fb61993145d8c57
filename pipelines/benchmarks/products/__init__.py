"""Contestants that multiply matrices: see `base.Products`."""
