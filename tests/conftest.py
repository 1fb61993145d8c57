"""What all tests share."""

import contextlib
import dataclasses
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Tests run in several processes. With two threads in each of them an operation was once seen to
# wait for ever for a thread of TensorFlow's pool that slept.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import pytest

#: The files that take longest: begun first, so that no process is left with one at the end.
_LONG = (
    "test_training.py",
    "test_pipelines_train.py",
    "test_strategies.py",
    "test_members_end_to_end.py",
    "test_exporters.py",
    "test_datasets_tfrecord.py",
)


def pytest_collection_modifyitems(items):
    """Puts long files first; those of a file stay together."""
    rank = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(_LONG)))


@pytest.fixture(autouse=True)
def _seeds():
    """The same initial weights on each run: a unit that is dead at first fails none by chance."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _iterators_end_at_once():
    """Without tf.data's tuner, which sleeps for up to 5 s before an iterator can go.

    The pipelines of this project leave it out (`tfvae/datasets/base.py`); those that Keras makes of
    arrays, and those that tests make, don't.
    """
    import tensorflow as tf

    untuned, iterate = tf.data.Options(), tf.data.Dataset.__iter__
    untuned.autotune.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.data.Dataset, "__iter__", lambda self: iterate(self.with_options(untuned)))
        yield


@pytest.fixture(autouse=True, scope="session")
def _xla_pays_off():
    """Makes `xla.pays_off` answer no, and gives the real one: XLA compiles for seconds what a test
    runs once.
    """
    from tfvae import xla

    pays_off = xla.pays_off
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xla, "pays_off", lambda model: False)
        yield pays_off


@pytest.fixture(autouse=True)
def _xla(request, monkeypatch, _xla_pays_off):
    """Compiles as users do where a test is marked with `xla`; else where it says so itself.

    Fixtures of a module or session are made without.
    """
    if request.node.get_closest_marker("xla"):
        from tfvae import xla

        monkeypatch.setattr(xla, "pays_off", _xla_pays_off)


@pytest.fixture(scope="session")
def tensorflow_process():
    """A fresh process with TensorFlow, for tests in which its age doesn't matter: it loads long."""
    from tfvae.exporters.fresh import Fresh

    with Fresh("tensorflow") as process:
        yield process


@pytest.fixture(scope="session")
def bare_process():
    """A fresh process without TensorFlow, for tests in which its age doesn't matter."""
    from tfvae.exporters.fresh import Fresh

    with Fresh() as process:
        yield process


@pytest.fixture(scope="module")
def old_processes(tensorflow_process, bare_process):
    """Lets the exports of a module be converted and proven in processes that are there already."""
    from tfvae.exporters import publication

    def process(*packages):
        return contextlib.nullcontext(tensorflow_process if packages else bare_process)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publication, "Fresh", process)
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of the test's own, which it works in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclasses.dataclass(frozen=True)
class LinearGaussian:
    """A model whose likelihood and posterior are known: probabilistic principal components.

        p(z) = N(0, I),  p(x|z) = N(weights z + offset, variance I)
        p(x) = N(offset, weights weights^T + variance I)
        p(z|x) = N(gain (x - offset), diag(posterior_variance))

    The columns of `weights` are orthogonal, so the posterior's covariance is diagonal and the
    exact posterior lies in the family of an encoder with one linear layer.
    """

    weights: np.ndarray  # [x, z]
    offset: np.ndarray  # [x]
    variance: float
    x: np.ndarray  # [num, x]

    @property
    def posterior_variance(self):
        """Variance of each latent given x, [z]."""
        return 1 / (1 + (self.weights**2).sum(axis=0) / self.variance)

    @property
    def gain(self):
        """What maps x - offset to the posterior's mean, [z, x]."""
        return self.posterior_variance[:, None] * self.weights.T / self.variance

    @property
    def log_prob(self):
        """log p(x) of each example, nats."""
        from scipy import stats

        covariance = self.weights @ self.weights.T + self.variance * np.eye(len(self.offset))
        return stats.multivariate_normal(self.offset, covariance).logpdf(self.x)

    def vae(self, shift=0.0, widen=0.0, **kwargs):
        """Returns this model as a `VAE` with the exact posterior, or one that is off.

        Args:
            shift: Added to the means of q(z|x).
            widen: Added to the log-variances of q(z|x).
            **kwargs: Arguments of `VAE`.
        """
        from tfvae.vae import VAE

        size_x, size_z = self.weights.shape
        vae = VAE((size_x,), size_z, network="mlp(hidden=())", likelihood="normal", **kwargs)
        mean = np.concatenate([self.gain, np.zeros_like(self.gain)]).T  # [x, 2 z]
        log_variance = np.log(self.posterior_variance) + widen
        bias = np.concatenate([shift - self.gain @ self.offset, log_variance])
        vae.encoder.set_weights([mean, bias])
        decode = np.concatenate([self.weights, np.zeros_like(self.weights)]).T  # [z, 2 x]
        bias = np.concatenate([self.offset, np.full(size_x, np.log(self.variance))])
        vae.decoder.set_weights([decode, bias])
        return vae


@pytest.fixture(scope="session")
def linear_gaussian():
    """A `LinearGaussian` with two latents, four observed variables and five examples."""
    rng = np.random.default_rng(0)
    weights = np.linalg.qr(rng.normal(size=(4, 2))).Q * [1.5, 0.7]
    offset = rng.normal(size=4)
    x = rng.multivariate_normal(offset, weights @ weights.T + 0.4 * np.eye(4), size=5)
    return LinearGaussian(weights, offset, 0.4, x.astype(np.float32))
