"""Distribution layers: parameter tensors to distributions, for q(z|x) and p(x|z)."""
