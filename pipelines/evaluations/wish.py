"""What is asked of an evaluation."""

import dataclasses

from pipelines.runs import Run


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is asked of an evaluation.

    Attributes:
        split: Name of a split.
        num_samples: Importance samples an example; 0 leaves the log-likelihood out.
        seed: Int.
        baselines: Whether models without a network are fitted and evaluated beside it.
        against: The `Run` to compare with, or None.
        tightness: Examples of the model on which log p(x) is bracketed; 0 leaves it out.
        annealing_steps: Temperatures of that.
        in_full: Whether the rate is taken apart, and TensorBoard and `report.html` are written;
            the end of a training run does without.
    """

    split: str
    num_samples: int = 0
    seed: int = 0
    baselines: bool = False
    against: Run | None = None
    tightness: int = 0
    annealing_steps: int = 1000
    in_full: bool = True
