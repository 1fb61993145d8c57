"""Keras fit, textbook train_step."""

from pipelines import cli
from pipelines.benchmarks import mnist
from pipelines.benchmarks.trainers.base import Trainer

REQUIRES = ("tensorflow",)


def encoder(work):
    """Returns x `[batch, 28, 28, 1]` -> mean and log-variance, the textbook's two heads."""
    import keras
    from keras import layers

    inputs = keras.Input((28, 28, 1))
    h = inputs
    for channels in work.channels:
        h = layers.Conv2D(channels, 4, strides=2, padding="same", activation="relu")(h)
    h = layers.Dense(work.hidden, activation="relu")(layers.Flatten()(h))
    heads = [layers.Dense(work.latent_size, name=name)(h) for name in ("mean", "log_variance")]
    return keras.Model(inputs, heads)


def decoder(work):
    """Returns z `[batch, latent]` -> logits `[batch, 28, 28, 1]`."""
    import keras
    from keras import layers

    inputs = keras.Input((work.latent_size,))
    h = layers.Dense(work.hidden, activation="relu")(inputs)
    if not work.channels:
        return keras.Model(inputs, layers.Reshape((28, 28, 1))(layers.Dense(28 * 28)(h)))
    h = layers.Dense(4 * 4 * work.channels[-1], activation="relu")(h)
    h = layers.Reshape((4, 4, work.channels[-1]))(h)
    for number, channels in enumerate((*work.channels[-2::-1], work.channels[0])):
        h = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")(h)
        if number == 0:  # 4 -> 8 -> 7
            h = layers.Cropping2D(((0, 1), (0, 1)))(h)
        h = layers.Activation("relu")(h)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(h))


def textbook(work):
    """Returns a `keras.Model` that trains itself as the examples on keras.io do."""
    import keras
    import tensorflow as tf
    from keras import ops

    class Textbook(keras.Model):
        """A VAE with a `train_step` of its own and three running means."""

        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = encoder(work), decoder(work)
            self.noise = keras.random.SeedGenerator(work.seed)
            names = ("loss", "reconstruction_loss", "kl_loss")
            self.trackers = [keras.metrics.Mean(name=name) for name in names]

        @property
        def metrics(self):
            return self.trackers

        def train_step(self, data):
            if work.binarized:
                u = keras.random.uniform(ops.shape(data), seed=self.noise)
                data = ops.cast(u < data, "float32")
            with tf.GradientTape() as tape:
                mean, log_variance = self.encoder(data)
                eps = keras.random.normal(ops.shape(mean), seed=self.noise)
                logits = self.decoder(mean + ops.exp(0.5 * log_variance) * eps)
                pixels = keras.losses.binary_crossentropy(data, logits, from_logits=True)
                reconstruction = ops.mean(ops.sum(pixels, axis=(1, 2)))
                kl = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
                kl = ops.mean(ops.sum(kl, axis=1))
                loss = reconstruction + kl
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

    return Textbook()


class Contestant(Trainer):
    """The model of the keras.io examples, compiled and fitted with Keras's defaults."""

    def build(self, work):
        """Builds and compiles the model."""
        cli.load_tensorflow()
        import keras

        keras.utils.set_random_seed(work.seed)
        self._images = mnist.training_images(work.num_images)
        self._model = textbook(work)
        self._model.compile(optimizer=keras.optimizers.Adam(work.learning_rate))

    def fit(self, first_epoch, epochs):
        """Trains by `Model.fit` on the array."""
        del first_epoch
        self._model.fit(self._images, epochs=epochs, batch_size=self.work.batch_size, verbose=0)

    def num_steps(self):
        """Returns the optimizer's iterations."""
        return self._model.optimizer.iterations.numpy()

    def encode(self, x):
        """Returns both heads of the encoder."""
        return [part.numpy() for part in self._model.encoder(x)]

    def decode(self, z):
        """Returns the decoder's logits."""
        return self._model.decoder(z).numpy()
