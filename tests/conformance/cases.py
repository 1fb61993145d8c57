"""What the laws need to know of each member beyond what it says of itself.

A new member is found by its folder and comes under every law of its family. What can't be found
out, such as the independent formula that its density is compared with, stands here, and
`test_members_are_covered.py` fails where an entry is missing.
"""

import dataclasses
import importlib
import itertools
from collections.abc import Callable

import numpy as np
import samples
import scipy.special
import scipy.stats

from tfvae import components

_SAMPLES = samples.folder()

#: Specs to test beside a member's defaults; needed where a member has required options.
EXAMPLES = {
    "datasets": {
        "arrays": [
            f"arrays(path='{_SAMPLES}/both.npz', key='x', labels='y', test=0)",
            f"arrays(path='{_SAMPLES}/grey.npy', validation=5, test=5, seed=3)",
            f"arrays(path='{_SAMPLES}/grey.npy', map_file=True, binarize='static')",
            f"arrays(path='{_SAMPLES}/grey.npy', map_file=True, binarize='dynamic')",
            f"arrays(path='{_SAMPLES}/colour.h5', key='pictures/x', map_file=True)",
            f"arrays(path='{_SAMPLES}/holes.npy', missing='mask', binarize='static')",
        ],
        "digits": ["digits(validation=1600, test=100, binarize='dynamic')"],
        "images": [
            f"images(path='{_SAMPLES}/photos', size=(6, 5))",
            f"images(path='{_SAMPLES}/photos', size=6, channels=1, binarize='threshold', test=0)",
        ],
        "idx": [f"idx(path='{_SAMPLES}/idx')"],
        "mnist": [
            f"mnist(binarize={mode!r}, validation=50, limit=40)"
            for mode in ("none", "threshold", "static", "dynamic")
        ],
        "synthetic": [
            "synthetic(kind='mixture', num=100, test=0)",
            "synthetic(kind='moons', num=100)",
            *(
                f"synthetic(kind='shapes', size=6, num=100, binarize={mode!r})"
                for mode in ("none", "threshold")
            ),
        ],
        "table": [
            f"table(path='{_SAMPLES}/people.csv')",
            f"table(path='{_SAMPLES}/people.csv', columns=('height', 'age'), test=0)",
            f"table(path='{_SAMPLES}/holes.csv', missing='mask')",
        ],
        "tfds": [
            f"tfds(name='tiny', data_dir='{_SAMPLES}', binarize='threshold')",
            f"tfds(name='tiny', data_dir='{_SAMPLES}', key='v')",
        ],
        "tfrecord": [
            *(
                f"tfrecord(pattern='{_SAMPLES}/x-*.tfrecord', features={{'x': 'uint8[6,5,1]'}}, "
                f"label='y'{options})"
                for options in ("", ", stream=True", ", stream=True, binarize='static'")
            ),
        ],
    },
    "distribution_layers": {},
    "networks": {
        "mlp": ["mlp(hidden=())", "mlp(hidden=(6, 4), activation='tanh')"],
        "conv": [
            "conv(channels=(3,), hidden=5, kernel_size=3)",
            "conv(channels=(3, 4, 5), hidden=6, kernel_size=5, activation='gelu')",
        ],
    },
    "objectives": {
        "elbo": [
            "elbo(kl='monte_carlo', num_samples=3)",
            "elbo(beta=4.0, warmup_steps=10, cycle_steps=20, free_bits=0.5)",
        ],
        "infovae": ["infovae(alpha=1.0, weight=10.0)"],
    },
    "priors": {"standard_normal": ["standard_normal(precision=4.0)"]},
}

#: The families whose laws stand in this folder.
FAMILIES = tuple(EXAMPLES)

#: Shape of the examples that priors made of posteriors are tested with.
EVENT = (4,)

#: What the constructor of a family takes before the options.
CONTEXT = {"distribution_layers": ((3,),), "priors": (3,)}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A distribution layer.

    Attributes:
        log_prob: Function of NumPy params `[*params_shape]` and x `[*event_shape]` -> log density
            or log mass of each element, by scipy.
        points: Where one element may lie: all of a discrete support, or a grid that holds nearly
            all of the mass of parameters of a few units.
        discrete: Whether `points` carry mass rather than density.
        extreme: A parameter far out, of both signs, at which nothing may overflow.
        event_shapes: Event shapes that it must support.
    """

    log_prob: Callable
    points: np.ndarray
    discrete: bool
    extreme: float = 30.0
    event_shapes: tuple = ((1,), (5,), (2, 3), (2, 1, 3))

    def data(self, shape):
        """Returns float32 data in the support, of moderate size."""
        rng = np.random.default_rng(0)
        near = self.points if self.discrete else self.points[np.abs(self.points) < 2]
        return rng.choice(near, shape).astype(np.float32)


def _normal(params, x):
    loc, log_variance = np.split(params, 2, axis=-1)
    return scipy.stats.norm.logpdf(x, loc, np.exp(log_variance / 2))


LAYERS = {
    "bernoulli": Layer(
        log_prob=lambda logits, x: scipy.stats.bernoulli.logpmf(x, scipy.special.expit(logits)),
        points=np.array([0.0, 1.0]),
        discrete=True,
        extreme=50.0,
    ),
    "normal": Layer(log_prob=_normal, points=np.linspace(-40, 40, 16_001), discrete=False),
}

_IMAGES = ((4, 4, 1), (7, 5, 3), (1, 8, 4), (8, 1, 2), (1, 1, 1))

#: Event shapes that a network must support; odd sides and sides of one among them.
NETWORKS = {
    "conv": _IMAGES,
    "mlp": (*_IMAGES, (1,), (5,), (2, 3), (2, 1, 3, 2)),
}


def _householder(layer, params, z):
    size = len(z)
    loc, log_variance, *vectors = np.split(params, 2 + layer.num_reflections)
    turn = np.eye(size)
    for vector in vectors:
        turn = turn @ (np.eye(size) - 2 * np.outer(vector, vector) / (vector @ vector))
    covariance = turn @ np.diag(np.exp(log_variance)) @ turn.T
    return scipy.stats.multivariate_normal(loc, covariance).logpdf(z)


#: The distribution layers that are posteriors only: name -> function of the layer, the parameters
#: of one example and a code -> log density by scipy; None where scipy has none.
POSTERIORS = {"delta": None, "hierarchical": None, "householder": _householder, "iaf": None}


def _mixture(prior, z):
    logits, loc, log_scale = (np.float64(weight) for weight in prior.get_weights())
    each = scipy.stats.norm.logpdf(z[:, None], loc, np.exp(log_scale)).sum(axis=-1)
    return scipy.special.logsumexp(each + scipy.special.log_softmax(logits), axis=-1)


def _vampprior(prior, z):
    (inputs,) = prior.get_weights()
    loc, log_scale = _posterior_parameters(inputs, z.shape[-1])
    each = scipy.stats.norm.logpdf(z[:, None], loc, np.exp(log_scale)).sum(axis=-1)
    return scipy.special.logsumexp(each, axis=-1) - np.log(len(inputs))


#: Function of a prior and codes `[num, latent]` -> log density by scipy; None where scipy has none.
PRIORS = {
    "coupling": None,
    "hierarchical": None,
    "mixture": _mixture,
    "standard_normal": lambda prior, z: scipy.stats.norm.logpdf(
        z, scale=prior.spec.options["precision"] ** -0.5
    ).sum(axis=-1),
    "vampprior": _vampprior,
}


def _binarized_anew(options):
    return options["binarize"] == "dynamic"


#: Whether training draws the noise of an example anew each epoch, from the options.
DATASETS = {
    "arrays": _binarized_anew,
    "digits": _binarized_anew,
    "images": _binarized_anew,
    "idx": _binarized_anew,
    "mnist": _binarized_anew,
    "synthetic": _binarized_anew,
    "table": lambda options: False,
    "tfds": _binarized_anew,
    "tfrecord": _binarized_anew,
}


@dataclasses.dataclass(frozen=True)
class Bound:
    """What an objective promises; each is a function of its options, or the answer.

    Attributes:
        is_bound: Whether the expected bound lies below log p(x) at any step.
        is_tight: Whether it is log p(x) at the exact posterior.
        is_exact: Whether it is so for every draw, and not on average only.
        is_coupled: Whether an example's term depends on the others of its batch. The laws hold
            for the mean over a batch then.
    """

    is_bound: Callable | bool = True
    is_tight: Callable | bool = True
    is_exact: Callable | bool = True
    is_coupled: Callable | bool = False


OBJECTIVES = {
    "beta_tc": Bound(is_tight=False, is_exact=False, is_coupled=True),
    "capacity": Bound(is_bound=False, is_tight=False, is_exact=False),
    "ciwae": Bound(),
    "dreg": Bound(),
    "elbo": Bound(
        is_bound=lambda o: o["beta"] >= 1 and not o["warmup_steps"],
        is_tight=lambda o: o["beta"] == 1 and not o["warmup_steps"] and not o["free_bits"],
        is_exact=lambda o: o["beta"] == 1 and o["kl"] == "monte_carlo" and not o["free_bits"],
        is_coupled=lambda o: o["free_bits"] > 0,
    ),
    "infovae": Bound(
        is_bound=lambda o: o["alpha"] == 0, is_tight=False, is_exact=False, is_coupled=True
    ),
    "iwae": Bound(),
    "miwae": Bound(),
    "stl": Bound(),
}


def base(family):
    """Returns the base class of a family."""
    module = importlib.import_module(f"tfvae.{family}.base")
    (found,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and components.Component in kind.__bases__
    ]
    return found


def specs(family):
    """Returns specs of every member of a family: its defaults, and its examples."""
    found = []
    for name, member in components.members(family).items():
        needs_example = any(default is None for default in member.options.values())
        found += [] if needs_example else [name]
        found += EXAMPLES[family].get(name, [])
    return found


def name_of(spec):
    """Returns the name in a spec."""
    return components.read(spec).name


def build(family, spec, *context):
    """Builds a member, with an arbitrary context if none is given."""
    return components.build(base(family), spec, *(context or CONTEXT.get(family, ())))


def params_of(layer, batch, seed=0):
    """Returns parameters of a few units for a distribution layer, float32."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, *layer.params_shape)).astype(np.float32)


def likelihoods():
    """Returns specs of the layers that can be p(x|z)."""
    return [spec for spec in specs("distribution_layers") if name_of(spec) in LAYERS]


def posteriors():
    """Returns specs of the layers that are a bijector of standard normal noise."""
    import tensorflow_probability as tfp

    kind = tfp.distributions.TransformedDistribution
    layers = {spec: build("distribution_layers", spec) for spec in specs("distribution_layers")}
    return [
        spec
        for spec, layer in layers.items()
        if layer.has_density and isinstance(layer(params_of(layer, 1)), kind)
    ]


def _posterior_parameters(inputs, latent_size):
    """Returns loc and log-scale of the posteriors that priors are tested with."""
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(2, *EVENT, latent_size)).astype(np.float32)
    return inputs @ first, 0.3 * (inputs @ second) - 0.5


class BoundPrior:
    """A prior of a few units' weights, with the encoder that it may need.

    Args:
        spec: Spec of the prior.
        latent_size: Length of a code.
    """

    def __init__(self, spec, latent_size):
        self.prior = build("priors", spec, latent_size)
        self.prior.build((None, *EVENT))
        rng = np.random.default_rng(5)
        for weight in self.prior.weights:
            # By the root of the number of summands, so that codes stay within a few units.
            scale = 0.3 if len(weight.shape) < 2 else 0.6 / max(1, weight.shape[0]) ** 0.5
            weight.assign_add(rng.normal(scale=scale, size=weight.shape).astype(np.float32))

    def posterior_of(self, inputs):
        """Returns q(z|x)."""
        from tfvae.distributions import DiagonalNormal

        return DiagonalNormal(*_posterior_parameters(inputs, self.prior.latent_size))

    def distribution(self):
        """Returns p(z)."""
        return self.prior.distribution(self.posterior_of)

    def draw(self, noise):
        """Makes noise into codes."""
        return self.prior.draw(noise, self.posterior_of)

    def sample(self, seed):
        """Draws codes."""
        return self.prior.sample(seed, self.posterior_of)


def layers_with_events():
    """Returns every distribution layer with every event shape that it must support."""
    return [
        (spec, event_shape)
        for spec in likelihoods()
        for event_shape in LAYERS[name_of(spec)].event_shapes
    ]


def networks_with_events():
    """Returns every network with every event shape that it must support."""
    return [
        (spec, event_shape) for spec in specs("networks") for event_shape in NETWORKS[name_of(spec)]
    ]


def small_datasets():
    """Returns specs of every data set: the examples instead of a large default."""
    examples = EXAMPLES["datasets"]
    return [s for name in components.members("datasets") for s in examples.get(name, [name])]


def draws_anew(dataset):
    """Says whether training draws the noise of an example anew each epoch."""
    return DATASETS[dataset.member_name](dataset.spec.options)


def models():
    """Returns the arguments of VAEs that together hold each member, and network x likelihood."""
    small = {
        "mlp": "mlp(hidden=(6,), activation='tanh')",
        "conv": "conv(channels=(3,), hidden=5, kernel_size=3)",
    }
    networks = [small.get(name, name) for name in components.members("networks")]
    pairs = itertools.product(networks, likelihoods())
    found = [{"network": network, "likelihood": likelihood} for network, likelihood in pairs]
    pairs = itertools.zip_longest(posteriors(), specs("priors"))
    found += [
        {"network": small["mlp"], "posterior": posterior or "normal", "prior": prior or "mixture"}
        for posterior, prior in pairs
    ]
    # Of the objectives one that reports more than the others do: none owns weights.
    found.append({"network": small["mlp"], "objective": "beta_tc"})
    return [*found, {"network": small["mlp"], "posterior": "delta"}]


def model(seed=0, latent_size=2, event_shape=(4, 4, 1), **parts):
    """Builds a small VAE."""
    from tfvae.vae import VAE

    return VAE(event_shape=event_shape, latent_size=latent_size, seed=seed, **parts)


def data_for(vae, num=6):
    """Returns float32 examples that the likelihood of a VAE has a density for."""
    return LAYERS[vae.likelihood_layer.member_name].data((num, *vae.event_shape))
