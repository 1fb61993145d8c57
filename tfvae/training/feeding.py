"""Feeding: how the batches of a data set reach the devices that train on them."""

import tensorflow as tf

from tfvae import batches

_EVALUATION_BATCH_SIZE = 500
# Steps of a block: enough to make the way from Python to XLA cheap, few enough to look at the
# signals in time. Blocks of examples pass through the caches, those of row numbers don't.
_BEST_BLOCK_STEPS = 20
_BEST_RESIDENT_STEPS = 50
_RESIDENT_BYTES = 2**30  # training examples that a device holds: a small part of its memory


def make(dataset, batch_size, seed, strategy=None, quick_steps=True):
    """Returns the feed of a data set for a strategy: the fastest way to train on it.

    One device holds the training examples itself where they are in memory and take no more than
    1 GiB; what is larger, streamed or shared by several devices comes in blocks of examples.

    Args:
        dataset: A `Dataset`.
        batch_size: Examples a step, over all devices together.
        seed: Int; the order of the data follows from it.
        strategy: `tf.distribute.Strategy`, or None for one device.
        quick_steps: Whether a step takes milliseconds, as those of dense layers do, and not some
            tenths of a second, as those of convolutions on a CPU: then more of them make a block.

    Returns:
        A feed. Its `steps` are the steps of an epoch of `batch_size` examples each,
        `calls(start)` the steps of each call of `train_step` from a step of an epoch on,
        `training(epoch, start)`, `validation()` and `validation_steps` what `fit` takes, and
        `prepare()` what `compile` takes.
        `calls_a_look` says after how many calls to ask whether somebody wants it to stop.

    Raises:
        ValueError: If the devices can't share a batch equally.
    """
    if strategy is not None:
        return _Shares(dataset, batch_size, seed, strategy)
    examples = dataset.examples_in_memory()
    if examples is not None and examples.nbytes <= _RESIDENT_BYTES:
        best = _BEST_RESIDENT_STEPS if quick_steps else _BEST_BLOCK_STEPS
        return _Resident(dataset, batch_size, seed, best)
    return _Blocks(dataset, batch_size, seed)


class _Blocks:
    """One device: blocks of batches, whose steps run in one program."""

    calls_a_look = 1
    validation_steps = None  # a data set of its own says when it ends

    def __init__(self, dataset, batch_size, seed, best=_BEST_BLOCK_STEPS):
        self._dataset, self.batch_size, self._seed = dataset, batch_size, seed
        self.steps = dataset.steps_per_epoch(batch_size)
        self._num_steps = block_steps(self.steps, best)

    def calls(self, start):
        return self._dataset.block_steps(self.batch_size, self._num_steps, start)

    def training(self, epoch, start):
        first = epoch * self.steps + start
        return self._dataset.blocks(self.batch_size, self._num_steps, self._seed, first)

    def validation(self):
        return self._dataset.split("validation", _EVALUATION_BATCH_SIZE)

    def prepare(self):
        return self._dataset.prepare


class _Resident(_Blocks):
    """One device that holds the training examples: blocks of their row numbers, in the same order.

    Each step gathers its examples on the device, so that next to nothing is sent there.
    """

    def training(self, epoch, start):
        first = epoch * self.steps + start
        return self._dataset.row_blocks(self.batch_size, self._num_steps, self._seed, first)

    def prepare(self):
        return _Gather(self._dataset)


class _Gather:
    """Makes of row numbers what a data set makes of the examples in these rows.

    Args:
        dataset: A `Dataset` with examples in memory.
    """

    stored_shape = ()

    def __init__(self, dataset):
        self._dataset = dataset
        # A tensor, on the first GPU if there is one, and no constant of the program: what a
        # function captures is its argument.
        self._examples = tf.identity(dataset.examples_in_memory())

    def __call__(self, rows, seed):
        return self._dataset.prepare(tf.gather(self._examples, rows), seed)


class _Shares:
    """Several devices: each gets an equal share of the rows of every batch.

    Row i of a batch is the same example with the same noise, whichever device it falls to. The
    examples that don't fill an epoch's last batch are left out of it; they are others each epoch.
    Validation isn't shared: every device evaluates every example, with the noise of one device.
    """

    calls_a_look = 20  # with several processes a look at the signals is a message between them

    def __init__(self, dataset, batch_size, seed, strategy):
        replicas = strategy.num_replicas_in_sync
        if batch_size % replicas:
            near = max(1, batch_size // replicas) * replicas
            raise ValueError(
                f"The {replicas} devices of the strategy share each batch equally. Received "
                f"batch_size={batch_size}. Choose a multiple of {replicas}, such as {near}."
            )
        self._dataset, self.batch_size, self._seed = dataset, batch_size, seed
        self._strategy = strategy
        self.steps = dataset.num_examples("train") // batch_size
        self.validation_steps = -(-dataset.num_examples("validation") // _EVALUATION_BATCH_SIZE)

    def calls(self, start):
        return [1] * (self.steps - start)

    def prepare(self):
        return self._dataset.prepare

    @tf.autograph.experimental.do_not_convert
    def training(self, epoch, start):
        # Of the data set, which counts an epoch's short last batch.
        first = epoch * self._dataset.steps_per_epoch(self.batch_size) + start
        blocks = self._dataset.blocks(self.batch_size, 1, self._seed, first)
        whole = blocks.filter(lambda *block: tf.shape(block[0])[1] == self.batch_size)

        def of_worker(context):
            share = self.batch_size // context.num_replicas_in_sync
            here = context.num_replicas_in_sync // context.num_input_pipelines
            begin = context.input_pipeline_id * here * share

            def shared(part):
                rows = tf.ensure_shape(part[0], (self.batch_size, *part.shape[2:]))
                rows = rows[begin : begin + here * share]
                return tf.reshape(rows, (here, share, *rows.shape[1:]))

            def shares(*block):
                parts = batches.each(shared, batches.packed(block))
                return tf.data.Dataset.from_tensor_slices(parts)

            return whole.flat_map(shares).prefetch(2 * here)

        return self._strategy.distribute_datasets_from_function(of_worker)

    @tf.autograph.experimental.do_not_convert
    def validation(self):
        split = self._dataset.split("validation", _EVALUATION_BATCH_SIZE)

        def of_worker(context):
            here = context.num_replicas_in_sync // context.num_input_pipelines

            def repeated(*batch):
                return tf.data.Dataset.from_tensors(batches.packed(batch)).repeat(here)

            return split.flat_map(repeated)

        return self._strategy.distribute_datasets_from_function(of_worker)


def block_steps(steps, best=_BEST_BLOCK_STEPS):
    """Returns the steps of a block: a divisor of the steps of an epoch where one is near `best`.

    Blocks of one size need one compilation.

    Examples:
        >>> block_steps(550)
        22
        >>> block_steps(550, best=50)
        50
    """
    divisors = [n for n in range(best // 2, best + best // 2 + 1) if steps % n == 0]
    return min(divisors, key=lambda n: abs(n - best), default=best)
