"""What `pipelines.benchmark` measures, one small file for each contestant.

    trainers/   train the same model on the same images: this project and its peers
    products/   the matrix products of a training step, by several libraries
    runtimes/   run the exported encoder and decoder

A contestant is a module with a line that says what it is, `REQUIRES`, the packages it needs, and a
class `Contestant`, built and called in a process of its own. Modules are found by their folder, and
import their packages inside functions: the program lists them all, whatever is installed.
"""
