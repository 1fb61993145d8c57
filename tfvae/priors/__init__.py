"""Priors p(z) over the latents."""
