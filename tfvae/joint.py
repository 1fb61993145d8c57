"""The joint model of examples and codes: its distributions, and what one asks of it."""

import functools
from typing import Any

import tensorflow as tf

from tfvae import masking, model_checks, noise
from tfvae.evaluation import importance
from tfvae.noise import Stream


class Joint:
    """p(x, z) = p(z) p(x|z) with q(z|x), made of networks, distribution layers and a prior.

    The base of `VAE`, and of a `VAE` whose condition is given. It has `encoder`, `decoder`,
    `posterior_layer`, `likelihood_layer`, `prior_layer`, `objective`, `condition`, `mask_missing`,
    `event_shape` and `latent_size`. A condition c enters the networks and the prior:
    p(z|c) p(x|z, c) and q(z|x, c). Methods take it as their last argument, as labels or as
    numbers, and leave it out where the model has none or it is given already.
    """

    encoder: Any
    decoder: Any
    posterior_layer: Any
    likelihood_layer: Any
    prior_layer: Any
    objective: Any
    condition: Any
    mask_missing: bool

    def given(self, condition):
        """Returns the model with its condition given: what has no condition left to ask for.

        Args:
            condition: The value of each example, `[batch, *shape]`, or one for all, `[*shape]`:
                a label, say. None for a model without a condition, which comes back as it is.

        Returns:
            A `Joint`.

        Raises:
            ValueError: If the model has no condition, or the values are of another kind.
        """
        return self if condition is None else Given(self, condition)

    def bind(self, batch):
        """Returns the model given the condition of a batch, and the examples of the batch.

        Args:
            batch: Examples `[batch, *event_shape]`, or a pair of them and their condition.
        """
        if self.condition is None or not isinstance(batch, tuple):
            return self, batch
        return self.given(batch[1]), batch[0]

    def rows(self, start, stop):
        """Returns the model given the conditions of some of the rows; itself if none is given."""
        del start, stop
        return self

    # The parts, as distributions.

    def posterior(self, x, condition=None):
        """Returns q(z|x).

        Args:
            x: Float tensor `[batch, *event_shape]`.
            condition: Of each example, for a conditional model.

        Returns:
            distribution: Batch shape `[batch]`, event shape `[latent_size]`.

        Raises:
            ValueError: If `x` isn't of that kind.
        """
        model = self.given(condition)
        return model.posterior_layer(model.encode(model.seen(model._check_examples(x))))

    def encode(self, x):
        """Returns what the encoder makes of examples: the parameters of q(z|x).

        Args:
            x: float32 `[batch, *event_shape]`, what `seen` returns.

        Returns:
            params: `[batch, *params_shape]` of the posterior layer.
        """
        x, vector = self.likelihood_layer.network_input(x), self._vector()
        if vector is None:
            return self.encoder(x)
        x = tf.convert_to_tensor(x)  # Keras converts an array by itself, but none in a list
        return self.encoder([x, _beside(vector, tf.shape(x)[:1])])

    def likelihood(self, z, condition=None, *, training=False):
        """Returns p(x|z).

        Args:
            z: Float tensor `[..., latent_size]`.
            condition: Of each example, for a conditional model.
            training: Whether a step of training asks, for a likelihood that adapts to its batch.

        Returns:
            distribution: Batch shape `[...]`, event shape `event_shape`.
        """
        params = self.given(condition).decode(z)
        likelihood = self.likelihood_layer(params, training=training)
        return masking.Observed(likelihood) if self.mask_missing else likelihood

    def seen(self, x):
        """Returns what the encoder sees of examples: 0 for an element that is missing."""
        return masking.seen(x) if self.mask_missing else x

    def decode(self, z):
        """Runs the decoder.

        Args:
            z: Float tensor `[..., latent_size]`.

        Returns:
            params: Parameters of p(x|z), `[..., *params_shape]`.
        """
        z, vector = self.prior_layer.decoded(z), self._vector()
        if vector is not None:
            z = tf.concat([z, _beside(vector, tf.shape(z)[:-1], len(z.shape))], axis=-1)
        if len(z.shape) == 2:
            return self.decoder(z)
        # Networks know one batch axis only.
        params = self.decoder(tf.reshape(z, [-1, z.shape[-1]]))
        return tf.reshape(params, tf.concat([tf.shape(z)[:-1], tf.shape(params)[1:]], axis=0))

    def prior(self, condition=None):
        """Returns p(z): batch shape `[]`, event shape `[latent_size]`.

        Args:
            condition: Of each example, for a conditional model. Where the prior depends on it,
                the batch shape is `[batch]`.
        """
        model = self.given(condition)
        return model.prior_layer.distribution(model.posterior, model._vector())

    # Noise from outside.

    def reparameterize(self, x, eps, condition=None):
        """Makes noise into codes: z = g(eps, x), a deterministic function with gradients.

        Args:
            x: Float tensor `[batch, *event_shape]`.
            eps: Standard normal noise, float tensor `[batch, latent_size]`, or with more axes in
                front for several codes of each example.
            condition: Of each example, for a conditional model.

        Returns:
            z: Float tensor like `eps`; with eps ~ N(0, I) a draw from q(z|x).

        References:
            [1] Kingma and Welling, section 2.4. https://arxiv.org/abs/1312.6114
        """
        posterior = self.posterior(x, condition)
        return posterior.bijector.forward(tf.convert_to_tensor(eps, tf.float32))

    def sample_codes(self, seed, condition=None):
        """Draws codes z ~ p(z), each from its own seed.

        Args:
            seed: int32 `[num, 2]`.
            condition: Of each code, for a conditional model.

        Returns:
            z: Float tensor `[num, latent_size]`.
        """
        model = self.given(condition)
        return model.draw_codes(model.prior_layer.noise_of(seed))

    def draw_codes(self, noise):
        """Makes noise from outside into codes z ~ p(z).

        Args:
            noise: Dict of float tensors `[num, *shape]`, as `prior_layer.noise_shapes` names them.

        Returns:
            z: Float tensor `[num, latent_size]`.
        """
        return self.prior_layer.draw(noise, self.posterior, self._vector())

    def quantile(self, u):
        """Maps the unit cube to codes by the prior's quantiles, where its latents are independent.

        Args:
            u: Float tensor `[num, latent_size]` in (0, 1).

        Returns:
            z: Float tensor `[num, latent_size]`.

        Raises:
            ValueError: If the latents are not independent under the prior.
        """
        return self.prior_layer.quantile(u, self._vector())

    # What one asks of a trained model.

    def elbo(self, x, seed=0):
        """Estimates the evidence lower bound with the samples of z that the objective draws.

        Args:
            x: Float tensor `[batch, *event_shape]`; for a conditional model a pair (x, condition).
            seed: Int.

        Returns:
            elbo: `[batch]`, nats, whatever objective the model is trained with.

        Raises:
            ValueError: If a value lies outside the support of the likelihood.
        """
        model, x = self.bind(x)
        model_checks.check_support(self, x)
        seeds = noise.row_seeds(noise.seed_of(Stream.ELBO, seed), tf.shape(x)[0])
        return model.terms(x, seeds).metrics["elbo"]

    def terms(self, x, seed, step=0, training=False):
        """Returns what the objective says of each example.

        Args:
            x: Float tensor `[batch, *event_shape]`; for a conditional model a pair (x, condition).
            seed: int32 `[batch, 2]`, one seed for each row.
            step: Iterations of the optimizer so far, for objectives with a schedule.
            training: Whether a step of training asks.

        Returns:
            `Terms`: the bound and its metrics, `[batch]` each, in nats.
        """
        model, x = self.bind(x)
        x = model._check_examples(x)
        likelihood_of = functools.partial(model.likelihood, training=training)
        return self.objective(x, model.posterior(x), model.prior(), likelihood_of, step, seed)

    def log_likelihood(self, x, num_samples=5000, seed=0):
        """Estimates log p(x) from below by importance sampling from q(z|x), without a gradient.

        Args:
            x: Float tensor `[batch, *event_shape]`; for a conditional model a pair (x, condition),
                and then it is log p(x|c).
            num_samples: Number of samples of z for each example.
            seed: Int; an example's value depends on it and on the example's place in `x`, not
                on how the samples are chunked.

        Returns:
            log_likelihood: `[batch]`, nats.

        Raises:
            ValueError: If a value lies outside the support of the likelihood.

        References:
            [1] Burda et al., section 3. https://arxiv.org/abs/1509.00519
        """
        model, x = self.bind(x)
        x = model._check_examples(x)
        model_checks.check_support(self, x)
        seeds = noise.row_seeds(noise.seed_of(Stream.LIKELIHOOD, seed), tf.shape(x)[0])
        return importance.log_likelihood(model, x, seeds, num_samples)

    def sample(self, num, seed=0, condition=None):
        """Draws new examples from the model: z ~ p(z), x ~ p(x|z).

        Args:
            num: Number of examples.
            seed: Int.
            condition: Of each example or one for all, for a conditional model.

        Returns:
            x: Float tensor `[num, *event_shape]`.
        """
        seeds = noise.row_seeds(noise.seed_of(Stream.SAMPLE, seed), num)
        return self.generate(seeds, condition)["x"]

    def generate(self, seed, condition=None):
        """Draws new examples, each from its own seed alone, and its condition.

        Args:
            seed: int32 `[num, 2]`.
            condition: Of each example or one for all, for a conditional model.

        Returns:
            Dict of `z` `[num, latent_size]`, and `mean` and `x` `[num, *event_shape]`.
        """
        model = self.given(condition)
        z = model.sample_codes(noise.fold_in(seed, 0))
        params = model.decode(z)
        x = self.likelihood_layer.sample(params, noise.fold_in(seed, 1))
        return {"z": z, "mean": self.likelihood_layer(params).mean(), "x": x}

    # Inside.

    def _vector(self):
        """Returns the condition as networks and prior read it, `[batch or 1, size]`, or None."""
        if self.condition is not None:
            raise ValueError(
                f"This model is conditional on `{self.condition.spec}`. Give the condition of each "
                f"example: `vae.posterior(x, condition)`, `vae.prior(condition)`, `vae.sample(num, "
                f"seed, condition)`, `vae.elbo((x, condition))`, or `vae.given(condition)` for a "
                f"model that has it."
            )


class Given(Joint):
    """A model whose condition is given: objectives, evaluation and exports take it as any other.

    Everything that isn't a question to the distributions is the model's own.

    Args:
        model: A conditional `Joint`.
        condition: As of `Joint.given`.

    Raises:
        ValueError: As of `Joint.given`.
    """

    def __init__(self, model, condition):
        if model.condition is None:
            raise ValueError(
                "This model has no condition, so none is given. Build it with one, as in "
                "`VAE(..., condition='label(num_classes=10)')`, or leave the condition out."
            )
        self._model, self._values = model, model.condition.read(condition)

    def __getattr__(self, name):
        """Returns what is the model's own."""
        return getattr(self._model, name)

    def given(self, condition):
        """Returns the model given another condition; this one if it is None."""
        return self if condition is None else self._model.given(condition)

    def rows(self, start, stop):
        """Returns the model given the conditions of some rows; those of all rows stay."""
        return self if len(self._values) == 1 else self._model.given(self._values[start:stop])

    def halves(self):
        """Returns the model and the condition: how both travel into a compiled function."""
        return self._model, self._values

    def _vector(self):
        return self.condition.vector(self._values)


def _beside(vector, shape, rank=1):
    """Returns a condition `[batch or 1, size]` for rows of a shape, `[*shape, size]`."""
    if vector.shape[0] != 1 and rank <= 2:
        return vector  # the rows are its own; nothing is broadcast in exports
    return tf.broadcast_to(vector, tf.concat([shape, vector.shape[-1:]], axis=0))
