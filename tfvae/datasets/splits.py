"""Splits that share no example: by fraction or count, the same each time and on each machine."""

import dataclasses

import numpy as np

_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


@dataclasses.dataclass(frozen=True)
class Shares:
    """How much of a source is set aside.

    Attributes:
        validation: Fraction of the examples as a float, or their number as an int.
        test: The same; 0 for no test split. None takes the test split that comes with the
            source, or one tenth where there is none.
        seed: Int; which examples are set aside follows from it and from their place in the source.

    Raises:
        ValueError: If a share is neither a fraction nor a count.
    """

    validation: float | int = 0.1
    test: float | int | None = None
    seed: int = 0

    def __post_init__(self):
        _check_share("validation", self.validation)
        if self.test is not None and (type(self.test) not in (int, float) or self.test != 0):
            _check_share("test", self.test)
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise ValueError(
                f"`seed` is a whole number from 0 to 2147483647. Received {self.seed!r}."
            )

    def divide(self, twins, has_validation, has_test, name):
        """Deals out the examples of a source.

        Examples that are equal to the last bit go to the same split, whatever its size, so none
        is in two.

        Args:
            twins: For each example, the index of the first one that is equal to it, int `[num]`.
            has_validation: Whether the source brings a validation split of its own.
            has_test: The same for a test split.
            name: Names the source in messages.

        Returns:
            Dict of "train", and of "validation" and "test" where they are to be taken from
            the source, to indices, int64 `[num_of_split]`, in an order that is shuffled.

        Raises:
            ValueError: If there are too few examples, or the source has the split already.
        """
        if has_test and self.test is not None:
            raise ValueError(
                f"{name} has a test split, which stays as it is. Received test={self.test!r}. "
                f"Leave `test` out."
            )
        if has_validation and self.validation != Shares.validation:
            raise ValueError(
                f"{name} has a validation split, which stays as it is. Received "
                f"validation={self.validation!r}. Leave `validation` out."
            )
        num = len(twins)
        wanted = {} if has_test else {"test": size_of(0.1 if self.test is None else self.test, num)}
        if not has_validation:
            wanted["validation"] = size_of(self.validation, num)
        wanted = {split: count for split, count in wanted.items() if count}
        if sum(wanted.values()) >= num:
            raise ValueError(_too_few(num, wanted, name))
        return _deal(twins, wanted, self.seed, name)


def twins(digests):
    """Returns for each example the index of the first one with the same digest.

    Examples:
        >>> twins(np.array([7, 8, 7, 9])).tolist()
        [0, 1, 0, 3]
    """
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    return first[inverse]


def size_of(share, num):
    """Returns how many of `num` examples a share is, a fraction as a float or a count.

    Examples:
        >>> size_of(0.1, 60), size_of(0.1, 2), size_of(5, 60)
        (6, 1, 5)
    """
    return max(1, round(share * num)) if isinstance(share, float) else share


def _deal(twins, wanted, seed, name):
    order = np.lexsort((np.arange(len(twins)), _mix(twins, seed)))
    found, start = {}, 0
    for split, count in wanted.items():
        end = start + count
        while end < len(order) and twins[order[end]] == twins[order[end - 1]]:
            end += 1
        found[split] = order[start:end]
        start = end
    if start == len(order) or not all(map(len, found.values())):
        raise ValueError(
            f"{name} has {len(np.unique(twins))} different examples among {len(twins)}, and equal "
            f"ones stay in one split: too few for {', '.join(['train', *wanted])}. Add different "
            f"ones, or set aside less."
        )
    names = [
        split for split in ("train", "validation", "test") if split in found or split == "train"
    ]
    return {split: found.get(split, order[start:]) for split in names}


def _mix(numbers, seed):
    """Scatters ints, each to another uint64, by SplitMix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        bits = (np.asarray(numbers, np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        bits += np.uint64(seed) << np.uint64(32)
        for shift, factor in _MIX:
            bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
        return bits ^ (bits >> np.uint64(31))


def _check_share(option, share):
    whole = type(share) is int and share > 0
    if not whole and not (type(share) is float and 0 < share < 1):
        raise ValueError(
            f"`{option}` is a fraction of the examples, such as 0.1, or their number, such as "
            f"500. Received {share!r}."
        )


def _too_few(num, wanted, name):
    asked = " and ".join(f"{count} for {split}" for split, count in wanted.items())
    remedy = "add examples"
    if "test" in wanted:
        remedy += ", or leave out the test split with `test=0`"
    return (
        f"{name} has {num} example{'s' if num != 1 else ''}, and {asked} would leave none to "
        f"train on. Set aside less, {remedy}."
    )
