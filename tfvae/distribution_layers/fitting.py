"""Which likelihoods fit data: what is proposed where another one doesn't."""

from tfvae import components

_FAMILY = "distribution_layers"


def fit(base, name, event_shape, x, transform=None):
    """Finds the options with which a member has a density for data.

    Args:
        base: The base class of the family.
        name: Name of the member.
        event_shape: Shape of an example.
        x: NumPy array `[num, *event_shape]`.
        transform: The `tfvae.transforms.Columns` of a table, or None.

    Returns:
        The layer, and its spec without the options that are left at their defaults.

    Raises:
        ValueError: If it doesn't fit.
    """
    spec = components.Spec(name)
    layer = components.build(base, spec, event_shape)
    if not layer.is_likelihood:
        raise ValueError(f"`{name}` is a posterior only.")
    options = layer._options_for(x)
    if options:
        spec = components.Spec(name, options)
        layer = components.build(base, spec, event_shape)
    layer.bind(transform)
    if not layer._in_support(x):
        raise ValueError(layer._refusal(x))
    return layer, spec


def proposals(base, event_shape, x, transform=None, num=3):
    """Returns the specs of the likelihoods that fit data, at most `num`, the best known first."""
    found = []
    for name in components.members(_FAMILY):
        try:
            layer, spec = fit(base, name, event_shape, x, transform)
        except ValueError:
            continue
        found.append((not layer.proposed, name, str(spec)))
    return [spec for _, _, spec in sorted(found)[:num]]
