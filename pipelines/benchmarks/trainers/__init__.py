"""Contestants that train: see `base.Trainer`."""
