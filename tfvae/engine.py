"""The steps of training and evaluation, compiled: what `VAE.train_step` and `test_step` run.

A block `[steps, batch, *event]` is one XLA program with the loop over its steps inside, so
that the way from Python through TensorFlow's executor is paid once a block and not once a step.
Whether all went well is asked once a block too: what isn't finite stays so in the weights and in
the state of the optimizer. Only then the block is taken again, step by step.
Under a strategy XLA compiles one step's gradient, and the optimizer, which talks between the
replicas, stays outside.
"""

import keras
import tensorflow as tf

from tfvae import batches, noise
from tfvae.noise import Stream


class Engine:
    """Runs the steps of one compiled model.

    Args:
        model: A `VAE` that has been compiled.
        jit_compile: Whether XLA compiles the steps.
        run_eagerly: Whether the steps run without any compilation, for debugging.
        prepare: Function (stored examples, seed int32 `[batch, 2]`) -> float32 `[batch, *event]`
            that runs within each step of training, or None.
    """

    def __init__(self, model, *, jit_compile, run_eagerly, prepare=None):
        self.jit_compile = jit_compile
        self._model = model
        self._prepare = prepare
        self._block, self._gradient, self._test = self._run_block, self._gradients, self._terms
        if not run_eagerly:
            options = {"jit_compile": jit_compile, "autograph": False, "reduce_retracing": True}
            self._block = tf.function(self._run_block, **options)
            self._gradient = tf.function(self._gradients, **options)
            self._test = tf.function(self._terms, **options)

    def train(self, xs):
        """Takes a step of the optimizer for each batch of a block.

        A step whose loss or gradient isn't finite leaves the weights as they are and ends the
        block; it isn't in the sums. Where the loss is scaled, a gradient that overflows is left
        out in silence as long as the scale can fall.

        Args:
            xs: `[steps, batch, *event]`, or a pair with the conditions; one step and this device's
                share under a strategy.

        Returns:
            sums: Over all examples of all devices, by name.
            num: Their number.
            finite: Whether all went well.
        """
        if not tf.distribute.has_strategy():
            return self._train_block(xs)
        # Its replicas meet in the optimizer, a single one too, and can't within a compiled loop.
        self._check_shared()
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        return self._train_share(batches.each(lambda part: tf.squeeze(part, 0), xs), replicas)

    def test(self, x, start):
        """Evaluates a batch.

        Args:
            x: `[batch, *event]`, or a pair with the conditions; the same on each device where
                several train.
            start: How many examples the evaluation has seen before.

        Returns:
            Sums over the examples, by name, and their number.
        """
        model = self._model
        num = _num_rows(x)
        seeds = noise.row_seeds(noise.seed_of(model.seed, Stream.TEST), num, start)
        return _sums(self._test(x, seeds, self._step())), num

    def _train_block(self, xs):
        """Takes all steps at once; if that ends badly, one by one up to the bad one."""
        shape, state = tf.shape(batches.examples(xs)), self._state()
        num_steps = shape[0]

        def goes_on(begin, end, _):
            return tf.logical_and(begin < num_steps, begin < end)

        # A loop, which comes round once where all goes well: the steps are traced for one call.
        def take(begin, end, sums):
            before = [tf.identity(variable) for variable in state]
            values, finite = self._block(xs, begin, end)
            tf.cond(finite, tf.no_op, lambda: _put_back(state, before))
            # After the whole block the first step, after one the next, after a bad one nothing.
            whole = tf.equal(end - begin, num_steps)
            next_end = tf.where(finite, end + 1, tf.where(whole & (num_steps > 1), 1, begin))
            return tf.where(finite, end, begin), next_end, _added(sums, values, finite)

        num, _, sums = tf.while_loop(goes_on, take, (tf.constant(0), num_steps, self._zeros()))
        return sums, num * shape[1], tf.equal(num, num_steps)

    def _run_block(self, xs, begin, end):
        """Takes the steps of a block from `begin` to `end`.

        Returns:
            sums: Over their examples, by name.
            finite: Whether all went well. What isn't finite stays so in the weights or in the
                state of the optimizer, so they are looked at once, at the end.
        """
        model = self._model
        hides = _hides_what_is_not_finite(model.optimizer)

        def one(index, good, sums):
            x = batches.each(lambda part: part[index], xs)
            gradients, values = self._gradients(x, self._step(), 0, 1)
            if hides:
                good = tf.logical_and(good, self._may_go_on(_is_finite(gradients)))
            model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return index + 1, good, {name: sums[name] + values[name] for name in sums}

        start = (begin, tf.constant(True), self._zeros())
        _, good, sums = tf.while_loop(lambda index, *_: index < end, one, start)
        floats = [v for v in (*self._state(), sums["loss"]) if v.dtype.is_floating]
        return sums, tf.reduce_all([good, *(tf.reduce_all(tf.math.is_finite(v)) for v in floats)])

    def _zeros(self):
        return {mean.name: tf.constant(0.0) for mean in self._model.metrics}

    def _state(self):
        """Returns all that a step changes, as TensorFlow's variables."""
        model = self._model  # a likelihood may own weights that no gradient moves
        return [v.value for v in (*model.weights, *model.optimizer.variables)]

    def _train_share(self, x, replicas):
        """One step on this replica's share of one batch."""
        context = tf.distribute.get_replica_context()
        num = _num_rows(x)
        start = context.replica_id_in_sync_group * num
        gradients, sums = self._gradient(x, self._step(), start, replicas)
        damaged = tf.cast(tf.logical_not(_is_finite(gradients)), tf.float32)
        sums, damaged = context.all_reduce("SUM", (sums, damaged))
        good = tf.equal(damaged, 0.0)
        finite = tf.logical_and(tf.math.is_finite(sums["loss"]), self._may_go_on(good))
        # Damaged on one, damaged on all: an optimizer that scales the loss asks the first alone.
        spoil = tf.where(good, 1.0, float("nan"))
        self._apply([gradient * tf.cast(spoil, gradient.dtype) for gradient in gradients], finite)
        zeros = {name: tf.zeros_like(value) for name, value in sums.items()}
        return _added(zeros, sums, finite), tf.where(finite, num * replicas, 0), finite

    def _check_shared(self):
        layer = self._model.likelihood_layer
        if layer.non_trainable_variables:
            raise ValueError(
                f"The likelihood `{layer.spec}` fits a variance to each batch within the step, "
                f"which a strategy of `tf.distribute` doesn't allow. Choose another, such as "
                f"`normal(covariance='shared')`, or train without a strategy."
            )

    def _gradients(self, x, step, start, replicas):
        """Returns the gradients of this share of the mean loss, and the sums of the terms."""
        model, num = self._model, _num_rows(x)
        x = self.prepared(x, step, start)
        seeds = noise.row_seeds(noise.seed_of(model.seed, Stream.TRAIN, step), num, start)
        with tf.GradientTape() as tape:
            terms = self._terms(x, seeds, step, training=True)
            loss = tf.reduce_mean(terms["loss"]) / replicas
            scaled = model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_variables)
        return gradients, _sums(terms)

    def prepared(self, x, step, start=0, prepare=None):
        """Returns the examples that a step of training sees.

        Args:
            x: `[batch, *event]` as the data set stores them, or a pair with the conditions.
            step: Iterations of the optimizer before it.
            start: Where this share of the batch begins.
            prepare: The function that makes them; by default the one that the model trains with.
        """
        prepare = prepare or self._prepare
        if prepare is None:
            return x
        seed = noise.seed_of(self._model.seed, Stream.DATA, step)
        return prepare(x, noise.row_seeds(seed, _num_rows(x), start))

    def _may_go_on(self, good):
        """Says whether training may go on after a gradient that is finite or not."""
        optimizer = self._model.optimizer
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return good
        # It leaves an overflow out by itself and halves its scale. At 1 that can't be the reason.
        return tf.logical_or(good, optimizer.dynamic_scale > 1)

    def _apply(self, gradients, finite):
        """Updates the weights and the state of the optimizer where all is finite."""
        optimizer, variables = self._model.optimizer, self._model.trainable_variables
        changed = self._state()
        before = [tf.identity(variable) for variable in changed]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        # Chosen element by element: replicas can't meet within a `tf.cond`.
        _choose(finite, changed, before)

    def _terms(self, x, seeds, step, training=False):
        terms = self._model.terms(x, seeds, step, training)
        # The minus sign of the project: objectives are maximised, Keras minimises.
        return {"loss": -terms.bound, **terms.metrics}

    def _step(self):
        return tf.cast(self._model.optimizer.iterations, tf.int32)


def _num_rows(batch):
    return tf.shape(batches.examples(batch))[0]


def _sums(terms):
    return {name: tf.reduce_sum(term) for name, term in terms.items()}


def _hides_what_is_not_finite(optimizer):
    """Says whether a bad gradient may leave no trace: scaling leaves it out, clipping bounds it."""
    clips = (optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue)
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or any(clips)


def _is_finite(gradients):
    return tf.math.is_finite(tf.linalg.global_norm(gradients))


def _added(sums, values, finite):
    """Returns sums with the values of a step, unless it is a bad one."""
    return {name: sums[name] + tf.where(finite, values[name], 0.0) for name in sums}


def _put_back(variables, values):
    return tf.group(*(v.assign(value) for v, value in zip(variables, values, strict=True)))


def _choose(condition, variables, otherwise):
    """Leaves variables as they are where a condition holds, and else puts values back."""

    def put_back(variable, value, keep):
        variable.assign(tf.where(keep, variable, value))

    def on_all(strategy, values, keep):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(variable, put_back, args=(value, keep), group=False)

    # As Keras's optimizers do: replicas meet, and each variable is updated where it lies.
    tf.__internal__.distribute.interim.maybe_merge_call(
        on_all, tf.distribute.get_strategy(), otherwise, condition
    )


def for_keras(value):
    """Returns a log in the form in which Keras 3 can average it over the workers."""
    several = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return value[tf.newaxis] if several else value
