"""Runs SavedModels as TensorFlow Serving does: in a Session, by the graph alone.

`tf.saved_model.load` restores Python objects, and accepts files that the server refuses.
"""

import numpy as np
import tensorflow as tf

BLOCKED: tuple[str, ...] = ()
_INIT = "__saved_model_init_op"


class Program:
    """An opened SavedModel.

    Args:
        path: Its directory.

    Raises:
        ValueError: If it isn't a SavedModel, or not a whole one.
    """

    def __init__(self, path):
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(path))
        except (OSError, RuntimeError, tf.errors.OpError) as error:
            raise ValueError(str(error)) from error
        self._signatures = {k: v for k, v in graph.signature_def.items() if k != _INIT}
        self.signatures = tuple(self._signatures)

    def inputs(self, signature):
        """Returns the shape of each input by name; None where any size fits."""
        inputs = self._signatures[signature].inputs
        return {name: _shape(info.tensor_shape) for name, info in inputs.items()}

    def run(self, signature, inputs):
        """Calls a signature.

        Args:
            signature: One of `signatures`.
            inputs: Dict of input name to a NumPy array.

        Returns:
            Dict of output name to a NumPy array.
        """
        definition = self._signatures[signature]
        feeds = {definition.inputs[name].name: array for name, array in inputs.items()}
        fetches = {name: info.name for name, info in definition.outputs.items()}
        outputs = self._session.run(fetches, feeds)
        return {name: _array(output) for name, output in outputs.items()}


def _array(output):
    """Returns bytes, which a Session gives as objects, as an array of NumPy's own type."""
    return output.astype(np.bytes_) if output.dtype == object else output


def _shape(shape):
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
