"""A client of TensorFlow Serving for exported encoders and decoders.

    client = Client("http://localhost:8501")
    code = client.encode(x)["mean"]
    new = client.generate(seeds(16))["x"]

REST needs NumPy alone; gRPC, `Client("grpc://localhost:8500")`, needs `pip install
'tfvae[serving]'`.
"""

from tfvae.serving.client import Client
from tfvae.serving.errors import ServingError, UnavailableError
from tfvae.serving.inputs import seeds

__all__ = ["Client", "ServingError", "UnavailableError", "seeds"]
