"""The exported perceptrons as ONNX graphs, built node by node from their weights.

No converter stands between: the graph is what one would write by hand for ONNX Runtime.
"""

import pathlib

import numpy as np

#: File of the weights, beside the exports.
WEIGHTS = "weights.npz"
_OPSET = 17  # of 2022: read by every ONNX Runtime of today
_IR_VERSION = 8


def save_weights(vae, directory):
    """Writes kernels and biases of both networks, in the order of the computation."""
    arrays = {
        f"{part}_{number}": weight
        for part in ("encoder", "decoder")
        for number, weight in enumerate(getattr(vae, part).get_weights())
    }
    np.savez(pathlib.Path(directory, WEIGHTS), **arrays)


def build(directory):
    """Returns the ONNX model of each part.

        encoder: x [N, 28, 28, 1] -> mean, stddev [N, latent]
        decoder: z [N, latent] -> mean [N, 28, 28, 1]

    Args:
        directory: Where `save_weights` wrote.
    """
    with np.load(pathlib.Path(directory, WEIGHTS)) as arrays:
        layers = {part: _layers(arrays, part) for part in ("encoder", "decoder")}
    return {"encoder": _encoder(layers["encoder"]), "decoder": _decoder(layers["decoder"])}


def _layers(arrays, part):
    flat = [arrays[f"{part}_{i}"] for i in range(sum(key.startswith(part) for key in arrays))]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _encoder(layers):
    from onnx import helper

    latent_size = len(layers[-1][1]) // 2
    nodes, weights = _perceptron(layers, "flat", "params")
    weights += [_array("shape", [-1, 28 * 28]), _array("half", np.float32(0.5))]
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        *nodes,
        helper.make_node("Split", ["params"], ["mean", "log_variance"], axis=1),
        helper.make_node("Mul", ["log_variance", "half"], ["log_stddev"]),
        helper.make_node("Exp", ["log_stddev"], ["stddev"]),
    ]
    outputs = {"mean": [latent_size], "stddev": [latent_size]}
    return _model(nodes, weights, {"x": [28, 28, 1]}, outputs)


def _decoder(layers):
    from onnx import helper

    nodes, weights = _perceptron(layers, "z", "logits")
    nodes += [
        helper.make_node("Sigmoid", ["logits"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "shape"], ["mean"]),
    ]
    weights += [_array("shape", [-1, 28, 28, 1])]
    return _model(nodes, weights, {"z": [len(layers[0][0])]}, {"mean": [28, 28, 1]})


def _perceptron(layers, source, target):
    from onnx import helper

    nodes, weights, h = [], [], source
    for number, (kernel, bias) in enumerate(layers):
        last = number == len(layers) - 1
        names = [f"kernel_{number}", f"bias_{number}"]
        weights += [_array(name, value) for name, value in zip(names, (kernel, bias), strict=True)]
        out = target if last else f"linear_{number}"
        nodes.append(helper.make_node("Gemm", [h, *names], [out]))
        if not last:
            h = f"hidden_{number}"
            nodes.append(helper.make_node("Relu", [out], [h]))
    return nodes, weights


def _array(name, value):
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value), name)


def _model(nodes, weights, inputs, outputs):
    from onnx import TensorProto, checker, helper

    def infos(shapes):
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
            for name, shape in shapes.items()
        ]

    graph = helper.make_graph(nodes, "part", infos(inputs), infos(outputs), weights)
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
    checker.check_model(model)
    return model
