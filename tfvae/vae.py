"""The variational autoencoder: ties the parts together and trains them."""

import keras
import tensorflow as tf

from tfvae import batches, components, initialization, model_checks, transforms, xla
from tfvae.conditions.base import Condition
from tfvae.distribution_layers.base import DistributionLayer, check_shape
from tfvae.engine import Engine, for_keras
from tfvae.joint import Joint
from tfvae.networks.base import Network
from tfvae.objectives.base import Objective
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class VAE(Joint, keras.Model):
    """A variational autoencoder.

        p(z) p(x|z) is the model, q(z|x) its approximate posterior, and training maximises
        ELBO(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))  <=  log p(x)

    A Keras model: `compile`, `fit`, `evaluate`, `predict`, `save` and callbacks work as usual.
    The loss is the mean over examples of minus the objective's bound, in nats, summed over the
    event. `predict` and calling the model give reconstructions: the mean of p(x|z) at the mean
    of q(z|x).

    Args:
        event_shape: Shape of one example, such as (28, 28, 1) or (16,).
        latent_size: Length of a code.
        network: Spec of a network, such as "mlp(hidden=(200, 200), activation='tanh')".
        posterior: Spec of the distribution layer that makes q(z|x).
        likelihood: Spec of the distribution layer that makes p(x|z).
        prior: Spec of the prior p(z).
        objective: Spec of the bound that training maximises.
        seed: Int; the initial weights and all noise of training follow from it.
        transform: The `transform` of the data set: how rows as they came map to examples. It is
            saved with the model, whose exports take and return rows. None where examples are rows.
        mask_missing: Whether NaN in an example marks an element that is missing: the encoder sees 0
            for it, and p(x|z) leaves it out. The decoder gives it like any other.
        condition: Spec of what is known of each example, such as "label(num_classes=10)" or
            "vector(size=3)", for p(z|c) p(x|z, c) and q(z|x, c); or None. Data are pairs
            (examples, conditions) then.

    Raises:
        ValueError: If a shape, a size, a name or an option is wrong.

    Examples:
        >>> vae = VAE(event_shape=(8, 8, 1), latent_size=2, network="mlp(hidden=(16,))")
        >>> vae.compile(optimizer="adam")
        >>> vae.sample(3, seed=0).shape
        TensorShape([3, 8, 8, 1])

    References:
        [1] Kingma and Welling. Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
    """

    def __init__(
        self,
        event_shape,
        latent_size,
        *,
        network="mlp",
        posterior="normal",
        likelihood="bernoulli",
        prior="standard_normal",
        objective="elbo",
        seed=0,
        transform=None,
        mask_missing=False,
        condition=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        model_checks.check_strategy()
        self.event_shape = check_shape("event_shape", event_shape)
        self.latent_size = model_checks.check_latent_size(latent_size)
        self.seed = model_checks.check_seed(seed)
        self.transform = transforms.revive(transform, self.event_shape)
        self.mask_missing = mask_missing
        self.network = components.build(Network, network)
        self.objective = components.build(Objective, objective)
        self.condition = None if condition is None else components.build(Condition, condition)
        num_known = 0 if self.condition is None else self.condition.size
        with initialization.initializers_from(seed), initialization.precision(self.dtype_policy):
            self.posterior_layer = components.build(DistributionLayer, posterior, self.latent_size)
            self.likelihood_layer = components.build(
                DistributionLayer, likelihood, self.event_shape
            )
            self.prior_layer = components.build(Prior, prior, self.latent_size)
            self.likelihood_layer.bind(self.transform)
            self.prior_layer.bind(num_known)
            self.prior_layer.build((None, *self.event_shape))
            model_checks.check_parts(self)
            self.posterior_layer.share(self.prior_layer)
            self.posterior_layer.build((None, *self.posterior_layer.params_shape))
            self.encoder = self.network.conditional_encoder(
                self.event_shape, self.posterior_layer.params_shape, num_known
            )
            self.decoder = self.network.decoder(
                self.prior_layer.decoded_size + num_known, self.likelihood_layer.params_shape
            )
        names = ("loss", *self.objective.metric_names)
        self._means = [keras.metrics.Mean(name=name) for name in names]
        self.built = True

    # Keras.

    def call(self, x):
        """Returns reconstructions `[batch, *event_shape]`: the mean of p(x|z) at the mean of q."""
        model, x = self.bind(x)
        return model.likelihood(model.posterior(x).mean()).mean()

    def compile(
        self,
        optimizer="adam",
        *,
        loss=None,
        metrics=None,
        weighted_metrics=None,
        jit_compile="auto",
        prepare=None,
        **kwargs,
    ):
        """Configures training as `keras.Model.compile` does; the loss is the objective's.

        Args:
            optimizer: Name or instance of a Keras optimizer.
            loss: Not taken: the model brings its own.
            metrics: Not taken: the objective reports its terms.
            weighted_metrics: Not taken either.
            jit_compile: Whether XLA compiles the steps. "auto" does where that is faster:
                everywhere but for convolutions on CPU.
            prepare: Function (examples as a data set stores them, seed int32 `[batch, 2]`) ->
                float32 examples, which runs within each training step: `Dataset.prepare`. It
                isn't saved with the model. None takes the examples as they come. If it has a
                `stored_shape`, that is the shape of one example as it takes them: () for numbers
                that stand for examples which it holds.
            **kwargs: `run_eagerly`, `steps_per_execution`, ... of Keras.

        Raises:
            ValueError: If a loss or metrics are given.
        """
        refused = {"loss": loss, "metrics": metrics, "weighted_metrics": weighted_metrics}
        for name, given in refused.items():
            if given is not None:
                raise ValueError(
                    f"A VAE brings its own loss and metrics: those of its objective. Received "
                    f"`{name}={given!r}`. Leave it out, and choose the bound by "
                    f"`VAE(..., objective='elbo')`."
                )
        # Keras's own compilation wraps the strategy, which fails with more than one device: the
        # engine compiles the steps themselves.
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        # Now, and not within the first step: TensorFlow traces a step that makes variables twice.
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        if jit_compile == "auto":
            jit_compile = not self.run_eagerly and xla.pays_off(self)
        self._prepare = prepare
        self.engine = Engine(
            self,
            jit_compile=jit_compile,
            run_eagerly=self.run_eagerly,
            prepare=prepare,
        )

    def fit(self, x=None, *args, **kwargs):
        """Trains as `keras.Model.fit` does.

        Args:
            x: Examples `[num, *event_shape]` as an array, which is looked through first; or a
                `tf.data.Dataset` or an iterator, of which nothing is read ahead: what
                `vae.likelihood_layer.check_data(batch.numpy())` does for a batch.
            *args: Of Keras.
            **kwargs: Of Keras. `validation_data` is looked through as `x` is.

        Raises:
            ValueError: If a value of an array lies outside the support of the likelihood, such as
                a grey pixel with `bernoulli`.
        """
        if getattr(self, "_prepare", None) is None:  # else it becomes examples within the step
            model_checks.check_support(self, x)
        model_checks.check_support(self, kwargs.get("validation_data"))
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """Evaluates as `keras.Model.evaluate` does.

        Args:
            x: As of `fit`.
            *args: Of Keras.
            **kwargs: Of Keras.

        Raises:
            ValueError: As of `fit`.
        """
        model_checks.check_support(self, x)
        return super().evaluate(x, *args, **kwargs)

    @property
    def metrics(self):
        """The running means of the loss and of the objective's terms."""
        return self._means

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: the parts are built already.

        Keras would average a first batch over the devices to learn its shape, which fails for
        examples in uint8.
        """

    def train_step(self, data):
        """Takes one step of the optimizer, or one for each batch of a block; Keras calls it.

        Args:
            data: `[batch, *event_shape]`, or a block `[steps, batch, *event_shape]`; pairs of
                these and their conditions for a conditional model.
        """
        data = self._check_batch(data, blocks=True)
        if len(batches.examples(data).shape) == len(self._stored_shape) + 1:
            data = batches.each(lambda part: part[tf.newaxis], data)
        return self._update_means(*self.engine.train(data))

    def test_step(self, data):
        """Evaluates one batch with the same loss as in training; Keras calls it."""
        data = self._check_batch(data)
        seen = tf.cast(self._means[0].count, tf.int32)  # since the evaluation began
        return self._update_means(*self.engine.test(data, seen))

    def predict_step(self, data):
        """Reconstructs one batch; Keras calls it."""
        return self(self._check_batch(data))

    def get_config(self):
        """Returns the arguments of the constructor, the parts as specs."""
        return {
            **super().get_config(),
            "event_shape": self.event_shape,
            "latent_size": self.latent_size,
            "network": str(self.network.spec),
            "posterior": str(self.posterior_layer.spec),
            "likelihood": str(self.likelihood_layer.spec),
            "prior": str(self.prior_layer.spec),
            "objective": str(self.objective.spec),
            "seed": self.seed,
            "transform": transforms.record(self.transform),
            "mask_missing": self.mask_missing,
            "condition": None if self.condition is None else str(self.condition.spec),
        }

    def get_compile_config(self):
        """Returns what `compile` was given, for `save`."""
        config = super().get_compile_config()
        left_out = ("loss", "metrics", "weighted_metrics")
        config = {k: v for k, v in config.items() if k not in left_out}
        return {**config, "jit_compile": "auto"} if config else config  # of the next machine

    def compile_from_config(self, config):
        """Compiles a loaded model as the saved one was."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    # Inside.

    def _update_means(self, sums, num, finite=True):
        weight = tf.cast(num, tf.float32)
        for mean in self._means:
            value = tf.math.divide_no_nan(sums[mean.name], weight)
            mean.update_state(value, sample_weight=weight)
        logs = {mean.name: mean.result() for mean in self._means}
        # A step that was left out shows in what callbacks read, not in the means.
        logs["loss"] = tf.where(finite, logs["loss"], float("nan"))
        return {name: for_keras(value) for name, value in logs.items()}

    def _check_batch(self, data, blocks=False):
        as_stored = blocks and self._prepare is not None
        shape = self._stored_shape if as_stored else self.event_shape
        kinds = (shape, self.condition, blocks, as_stored)
        return model_checks.check_batch(data, *kinds)

    @property
    def _stored_shape(self):
        """Shape of one example as a step of training gets it."""
        return getattr(self._prepare, "stored_shape", self.event_shape)

    def _check_examples(self, x):
        return model_checks.check_examples(x, self.event_shape)
