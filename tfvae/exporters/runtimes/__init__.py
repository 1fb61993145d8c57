"""Runtimes: what opens and runs exported files, with no other module of this project.

Each module has a class `Program(path)` with `inputs(signature)` and `run(signature, inputs)`, and
names in `BLOCKED` the packages that a run must do without.
"""
