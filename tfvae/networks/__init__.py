"""Networks: tensors to parameter tensors, as functional Keras models."""
