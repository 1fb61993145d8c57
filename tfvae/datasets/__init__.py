"""Data sets: named data as tf.data."""
