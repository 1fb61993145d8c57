"""The TensorFlow operations that an exported signature may consist of.

Pure functions of their inputs for which every TensorFlow Serving has a kernel, variables that are
read, and functions that are called. What is absent is absent for a reason: operations that draw
from a state (the same request would be answered otherwise each time), that call the host (the
server has no Python), that read files, that print or wait. One that is missing and fits may be
added here.
"""

_SHAPES = """
BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Cast ConcatOffset ConcatV2 Const DepthToSpace
DynamicStitch EnsureShape ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN
InvertPermutation LinSpace MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 Placeholder
PlaceholderWithDefault PreventGradient Range Rank Reshape ResizeBilinear ResizeNearestNeighbor
ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN Size Slice SpaceToBatchND SpaceToDepth Split
SplitV Squeeze StopGradient StridedSlice TensorScatterAdd TensorScatterUpdate Tile TopKV2 Transpose
Unpack Where ZerosLike
"""

_MATHEMATICS = """
Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BesselI0 BesselI0e BesselI1 BesselI1e
Betainc Ceil ClipByValue Cos Cosh Cumprod Cumsum CumulativeLogsumexp Digamma Div DivNoNan Elu Erf
Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Igamma Igammac Inv IsFinite IsInf IsNan LeakyRelu
Lgamma Log Log1p LogSoftmax Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter Polygamma Pow
RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign
Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv Xdivy Xlog1py Xlogy Zeta
"""

_REDUCTIONS = """
All Any ArgMax ArgMin Bincount EuclideanNorm Max Mean Min Prod SegmentSum Sum UnsortedSegmentSum
"""

_LOGIC = """
BitwiseAnd BitwiseOr BitwiseXor Equal Greater GreaterEqual Invert LeftShift Less LessEqual
LogicalAnd LogicalNot LogicalOr NotEqual PopulationCount RightShift
"""

_LINEAR_ALGEBRA = """
BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Einsum LogMatrixDeterminant MatMul MatrixBandPart
MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve
MatrixTriangularSolve Qr SelfAdjointEigV2 Svd
"""

_NETWORKS = """
AvgPool AvgPool3D BiasAdd Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2
DepthwiseConv2dNative FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 MaxPool MaxPool3D
"""

_PICTURES = """
DecodePng EncodePng
"""

_FUNCTIONS = """
Case If PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile While
EmptyTensorList TensorListElementShape TensorListFromTensor TensorListGetItem TensorListLength
TensorListPushBack TensorListReserve TensorListSetItem TensorListStack
"""

_VARIABLES = """
DisableCopyOnRead ReadVariableOp ResourceGather ResourceGatherNd VarHandleOp
"""

_GROUPS = (_SHAPES, _MATHEMATICS, _REDUCTIONS, _LOGIC, _LINEAR_ALGEBRA, _NETWORKS, _PICTURES)

#: Names of the operations that a signature may consist of.
ALLOWED = frozenset(" ".join((*_GROUPS, _FUNCTIONS, _VARIABLES)).split())

# In the names of operations that draw: that of `tf.random.Generator` is RngReadAndSkip.
_DRAWS = ("Random", "Normal", "Uniform", "Multinomial", "Rng")
_HOST_CALLS = ("EagerPyFunc", "PyFunc", "PyFuncStateless", "NumpyFunction", "XlaHostCompute")


def reason(name, *, stateful):
    """Returns why an operation that isn't allowed isn't, and what to do.

    Args:
        name: Name of the operation.
        stateful: Whether TensorFlow knows it to have a state, or side effects.
    """
    if stateful and any(word in name for word in _DRAWS):
        return (
            "draws from a state, so that the same request is answered otherwise each time "
            "(stateful randomness). Draw with `tfvae.noise`, from the seeds of the rows"
        )
    if name in _HOST_CALLS or "Host" in name:
        return "calls the host's Python, which a server doesn't have (host call)"
    if name.startswith("Assign"):
        return (
            "writes a variable, so that the same request is answered otherwise each time. "
            "`keras.random` does with its seeds: draw with `tfvae.noise`, from those of the rows"
        )
    return (
        "is not among those that are known to be served. If it is a pure function that every "
        "server has, add it to `tfvae/exporters/operations.py`"
    )
