"""What the laws need to know of each member beyond what it says of itself.

A new member is found by its folder and comes under every law of its family. What can't be found
out, such as the independent formula that its density is compared with, stands here, and
`test_members_are_covered.py` fails where an entry is missing.
"""

import dataclasses
import importlib
import itertools
import math
from collections.abc import Callable

import formulas
import numpy as np
import samples
import scipy.special
import scipy.stats

from tfvae import components, transforms

_SAMPLES = samples.folder()

#: Specs to test beside a member's defaults; needed where a member has required options.
EXAMPLES = {
    "conditions": {
        "label": ["label(num_classes=4)"],
        "vector": ["vector(size=3)", "vector(size=2, mean=(40.0, -1.0), stddev=(12.0, 0.5))"],
    },
    "datasets": {
        "arrays": [
            f"arrays(path='{_SAMPLES}/both.npz', key='x', labels='y', test=0)",
            f"arrays(path='{_SAMPLES}/grey.npy', validation=5, test=5, seed=3)",
            f"arrays(path='{_SAMPLES}/both.npz', key='x', condition='y')",
            f"arrays(path='{_SAMPLES}/grey.npy', map_file=True, binarize='static')",
            f"arrays(path='{_SAMPLES}/grey.npy', map_file=True, binarize='dynamic')",
            f"arrays(path='{_SAMPLES}/colour.h5', key='pictures/x', map_file=True)",
            f"arrays(path='{_SAMPLES}/holes.npy', missing='mask', binarize='static')",
        ],
        "shapes": [
            "shapes(size=16, scales=2, rotations=2, positions=3)",
            "shapes(size=17, shapes=('disc',), rotations=1, colors=3, positions=4, test=0)",
        ],
        "digits": ["digits(validation=1600, test=100, binarize='dynamic')"],
        "images": [
            f"images(path='{_SAMPLES}/photos', size=(6, 5))",
            f"images(path='{_SAMPLES}/photos', size=6, channels=1, binarize='threshold', test=0)",
        ],
        "idx": [f"idx(path='{_SAMPLES}/idx')"],
        "mnist": [
            f"mnist(binarize={mode!r}, validation=50, limit=40)"
            for mode in ("none", "static", "dynamic")
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
            f"table(path='{_SAMPLES}/people.csv', condition='age')",
            f"table(path='{_SAMPLES}/holes.csv', missing='mask')",
        ],
        "tfds": [
            f"tfds(name='tiny', data_dir='{_SAMPLES}', binarize='threshold')",
            f"tfds(name='tiny', data_dir='{_SAMPLES}', key='v')",
            f"tfds(name='rows', data_dir='{_SAMPLES}', missing='mask')",
        ],
        "tfrecord": [
            *(
                f"tfrecord(pattern='{_SAMPLES}/x-*.tfrecord', features={{'x': 'uint8[6,5,1]'}}, "
                f"label='y'{options})"
                for options in ("", ", stream=True", ", stream=True, binarize='static'")
            ),
        ],
    },
    "disentanglement": {"dci": ["dci(model='boosting', num_trees=10)"]},
    "distribution_layers": {
        "beta_binomial": ["beta_binomial(levels=4, step=1)"],
        "categorical": ["categorical(levels=3, step=1)"],
        "discretized_logistic": ["discretized_logistic(levels=5)"],
        "mixed": ["mixed(columns=('laplace', 'poisson', 3, 'normal', 'normal'))"],
        "normal": [
            "normal(variance='softplus', floor=0.01)",
            "normal(variance='square', floor=0.01)",
            "normal(variance='relu', floor=0.01)",
            "normal(covariance='isotropic')",
            "normal(covariance='unit')",
            "normal(covariance='shared')",
            "normal(covariance='shared_diagonal', variance='softplus')",
            "normal(stddev=0.5)",
        ],
        "student_t": ["student_t(df=None)"],
    },
    "networks": {
        "mlp": [
            "mlp(hidden=())",
            "mlp(hidden=(6, 4), activation='tanh')",
            "mlp(hidden=(5,), activation='sigmoid')",
        ],
        "conv": [
            "conv(channels=(3,), hidden=5, kernel_size=3)",
            "conv(channels=(3, 4, 5), hidden=6, kernel_size=5, activation='gelu')",
        ],
        "residual": [
            "residual(channels=(3,), blocks=1, hidden=5, activation='gelu', normalize=False)",
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

#: Likelihoods that own weights, trained ones and others.
LIKELIHOODS_WITH_WEIGHTS = (
    "normal(covariance='shared')",
    "normal(covariance='shared_diagonal', variance='softplus')",
    "optimal_normal",
    "student_t(df=None)",
)

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
        log_prob: Function of a layer, NumPy params `[*params_shape]` and x `[*event_shape]` -> log
            density or log mass of each element, or of the event, by scipy.
        points: Where one element may lie: all of a discrete support, or a grid that holds nearly
            all of the mass of parameters of a few units. A function of the layer where it depends
            on the options; `[num, event]` where elements aren't alike.
        discrete: Whether `points` carry mass rather than density.
        extreme: A parameter far out, of both signs, at which nothing may overflow.
        event_shapes: Event shapes that it must support.
        transform: The columns that the layer is built for, or None.
        correlation: Function of a layer and NumPy params -> correlations of the flattened event;
            None where elements are independent.
    """

    log_prob: Callable
    points: np.ndarray | Callable
    discrete: bool
    extreme: float = 30.0
    event_shapes: tuple = ((1,), (5,), (2, 3), (2, 1, 3))
    transform: transforms.Columns | None = None
    correlation: Callable | None = None

    def points_of(self, layer):
        """Returns where an element, or an event, of a layer may lie."""
        return self.points(layer) if callable(self.points) else self.points

    def data(self, layer, num):
        """Returns float32 data in the support, of moderate size, `[num, *event_shape]`."""
        rng = np.random.default_rng(0)
        points = self.points_of(layer)
        if points.ndim == 2:
            return points[rng.integers(len(points), size=num)].astype(np.float32)
        near = points[np.abs(points) < (20 if self.discrete else 2)]
        return rng.choice(near, (num, *layer.event_shape)).astype(np.float32)


LAYERS = {
    "bernoulli": Layer(
        log_prob=lambda _, a, x: scipy.stats.bernoulli.logpmf(x, scipy.special.expit(a)),
        points=np.array([0.0, 1.0]),
        discrete=True,
        extreme=50.0,
    ),
    "beta_binomial": Layer(formulas.beta_binomial, formulas.levels, discrete=True),
    "categorical": Layer(formulas.categorical, formulas.levels, discrete=True),
    "continuous_bernoulli": Layer(
        formulas.continuous_bernoulli, np.linspace(0, 1, 4001), discrete=False
    ),
    "discretized_logistic": Layer(formulas.discretized_logistic, formulas.levels, discrete=True),
    "full_normal": Layer(
        formulas.full_normal,
        np.linspace(-40, 40, 16_001),
        discrete=False,
        event_shapes=((1,), (5,)),
        correlation=formulas.full_correlation,
    ),
    "laplace": Layer(formulas.laplace, formulas.FINE_IN_THE_MIDDLE, discrete=False),
    "logistic_mixture": Layer(formulas.logistic_mixture, formulas.levels, discrete=True),
    "mixed": Layer(
        formulas.mixed,
        formulas.rows,
        discrete=True,
        event_shapes=((7,),),
        transform=transforms.Columns(formulas.COLUMNS),
        correlation=formulas.mixed_correlation,
        extreme=25.0,  # as of the counts in it
    ),
    # Its variance, mean**2 / size, would leave float32 at 30.
    "negative_binomial": Layer(
        formulas.negative_binomial, np.arange(3000.0), discrete=True, extreme=25.0
    ),
    "normal": Layer(formulas.normal, np.linspace(-40, 40, 16_001), discrete=False),
    "optimal_normal": Layer(formulas.optimal_normal, np.linspace(-40, 40, 16_001), discrete=False),
    "poisson": Layer(formulas.poisson, np.arange(200.0), discrete=True),
    "student_t": Layer(formulas.student_t, formulas.FINE_IN_THE_MIDDLE, discrete=False),
}

_IMAGES = ((4, 4, 1), (7, 5, 3), (1, 8, 4), (8, 1, 2), (1, 1, 1))

#: Event shapes that a network must support; odd sides and sides of one among them.
NETWORKS = {
    "conv": _IMAGES,
    "mlp": (*_IMAGES, (1,), (5,), (2, 3), (2, 1, 3, 2)),
    "residual": ((7, 5, 3), (1, 8, 4), (1, 1, 1), (5,), (2, 3), (2, 1, 3, 2)),
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
POSTERIORS = {
    "delta": None,
    "hierarchical": None,
    "householder": _householder,
    "iaf": None,
    "ladder": None,
}


def _mixture(prior, z):
    logits, loc, log_scale = (np.float64(weight) for weight in prior.get_weights())
    each = scipy.stats.norm.logpdf(z[:, None], loc, np.exp(log_scale)).sum(axis=-1)
    return scipy.special.logsumexp(each + scipy.special.log_softmax(logits), axis=-1)


def _conditional_normal(prior, z):
    loc, log_scale = np.split(np.float64(prior.bias), 2)  # without a condition
    return scipy.stats.norm.logpdf(z, loc, np.exp(log_scale)).sum(axis=-1)


def _vampprior(prior, z):
    (inputs,) = prior.get_weights()
    loc, log_scale = _posterior_parameters(inputs, z.shape[-1])
    each = scipy.stats.norm.logpdf(z[:, None], loc, np.exp(log_scale)).sum(axis=-1)
    return scipy.special.logsumexp(each, axis=-1) - np.log(len(inputs))


#: Function of a prior and codes `[num, latent]` -> log density by scipy; None where scipy has none.
PRIORS = {
    "conditional_normal": _conditional_normal,
    "coupling": None,
    "hierarchical": None,
    "ladder": None,
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
    "shapes": _binarized_anew,
    "synthetic": _binarized_anew,
    "table": lambda options: False,
    "tfds": _binarized_anew,
    "tfrecord": _binarized_anew,
}


@dataclasses.dataclass(frozen=True)
class Disentangled:
    """What a score of disentanglement promises of codes that are known.

    Attributes:
        by_chance: Function of the numbers of values of the factors -> the score of noise.
        sees_rotations: Whether it falls where two factors are turned into one another.
        luck: How far two scores of the same codes in another form may be apart.
    """

    by_chance: Callable
    sees_rotations: bool = True
    luck: float = 1e-9


#: Scores by name, of each measure.
DISENTANGLEMENT = {
    "dci": {
        # Trees break ties between latents at random.
        "dci_disentanglement": Disentangled(lambda sizes: 0.0, luck=0.05),
        "dci_completeness": Disentangled(lambda sizes: 0.0, luck=0.05),
        "dci_informativeness": Disentangled(
            lambda sizes: float(np.mean(1 / np.array(sizes))), sees_rotations=False, luck=0.05
        ),
    },
    "factor_vae": {"factor_vae": Disentangled(lambda sizes: 1 / len(sizes))},
    # A code that lies on the edge of a bin may fall to either side.
    "mig": {"mig": Disentangled(lambda sizes: 0.0, luck=0.01)},
    "sap": {"sap": Disentangled(lambda sizes: 0.0)},
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


def layer(spec, event_shape=(3,)):
    """Builds a distribution layer for an event shape, or for the nearest one that it supports.

    Weights of its own get other values than they begin with.
    """
    case = LAYERS.get(name_of(spec))
    if case is None:  # a posterior only, over a code
        found = build("distribution_layers", spec, math.prod(event_shape))
        found.build((None, *found.params_shape))
        return found
    if len(case.event_shapes) == 1:
        event_shape = case.event_shapes[0]
    elif all(len(shape) == 1 for shape in case.event_shapes):
        event_shape = (math.prod(event_shape),)
    found = build("distribution_layers", spec, event_shape)
    if found.spec.options.get("columns") is None:
        found.bind(case.transform)
    rng = np.random.default_rng(1)
    found.set_weights([rng.uniform(0.3, 1.5, w.shape) for w in found.get_weights()])
    return found


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
    layers = {spec: layer(spec) for spec in specs("distribution_layers")}
    return [
        spec
        for spec, built in layers.items()
        if built.has_density and isinstance(built(params_of(built, 1)), kind)
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
        for weight in (w for w in self.prior.weights if 0 not in w.shape):
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
    """Returns every likelihood with every event shape that it must support.

    With other options than its defaults, it stands with one of them.
    """
    found = []
    for spec in likelihoods():
        shapes = LAYERS[name_of(spec)].event_shapes
        found += [(spec, shape) for shape in (shapes if spec == name_of(spec) else shapes[-1:])]
    return found


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
    """Returns the arguments of VAEs that together hold each member.

    Every network stands with one likelihood, and every other member with the smallest network.
    The distribution layers, which are many, are saved and loaded where they are trained, by
    `test_members_run_to_their_exports.py`; here stand those with weights of their own.
    """
    networks = {
        "mlp": "mlp(hidden=(6,), activation='tanh')",
        "conv": "conv(channels=(3,), hidden=5, kernel_size=3)",
        "residual": "residual(channels=(3,), blocks=1, hidden=5)",
    }
    small = {"network": "mlp(hidden=())", "event_shape": (4,)}
    found = [{"network": networks.get(name, name)} for name in components.members("networks")]
    found += [{**small, "likelihood": spec} for spec in LIKELIHOODS_WITH_WEIGHTS]
    with_density = ["full_normal", *(name for name in POSTERIORS if name != "delta")]
    found += [
        {**small, "posterior": posterior or "normal", "prior": prior or "mixture"}
        for posterior, prior in itertools.zip_longest(with_density, specs("priors"))
    ]
    found.append({**small, "posterior": "delta"})  # an objective of its own, without a prior
    # Of the objectives one that reports more than the others do: none owns weights.
    return [*found, {**small, "objective": "beta_tc"}]


def name_of_parts(parts):
    """Returns the name of a test with the arguments of a VAE."""
    return "-".join(part for part in parts.values() if isinstance(part, str))


def model(seed=0, latent_size=2, event_shape=(4, 4, 1), **parts):
    """Builds a small VAE."""
    from tfvae.vae import VAE

    return VAE(event_shape=event_shape, latent_size=latent_size, seed=seed, **parts)


def data_for(vae, num=6):
    """Returns float32 examples that the likelihood of a VAE has a density for."""
    return LAYERS[vae.likelihood_layer.member_name].data(vae.likelihood_layer, num)
