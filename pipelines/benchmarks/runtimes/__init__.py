"""Contestants that run exports: see `base.Runtime`."""
