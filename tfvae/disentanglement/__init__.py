"""Measures of how a code keeps apart the factors that its data were made from."""
