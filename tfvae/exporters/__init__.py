"""Exporters: trained parts to files that other programs load."""
