"""Training: checkpoints, TensorBoard, progress on the terminal."""
