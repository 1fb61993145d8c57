"""A condition turns values into a vector of one length, in each program, and refuses others."""

import cases
import numpy as np
import pytest
import tensorflow as tf

WHOLE = ["label(num_classes=4)", "vector(size=3)", cases.EXAMPLES["conditions"]["vector"][-1]]


def build(spec):
    return cases.build("conditions", spec)


@pytest.mark.parametrize("spec", WHOLE)
def test_its_own_examples_become_vectors_of_its_size(spec):
    condition = build(spec)
    values = condition.examples(7)
    assert values.shape == (7, *condition.shape)
    assert values.dtype == condition.dtype
    vector = condition.vector(condition.read(values))
    assert vector.shape == (7, condition.size)
    assert vector.dtype == tf.float32
    assert len(np.unique(vector, axis=0)) > 1
    assert np.all(np.abs(vector) <= 1.001)  # of the size that networks begin with


@pytest.mark.parametrize("spec", WHOLE)
def test_the_value_of_one_example_is_a_batch_of_one(spec):
    condition = build(spec)
    values = condition.examples(3)
    one = condition.vector(condition.read(values[2]))
    np.testing.assert_array_equal(one, condition.vector(condition.read(values))[2:])


@pytest.mark.parametrize("spec", WHOLE)
def test_a_program_makes_the_same_vector(spec):
    condition = build(spec)
    values = tf.constant(condition.examples(4))
    compiled = tf.function(
        lambda v: condition.vector(condition.read(v)),
        input_signature=[condition.input],
        jit_compile=True,
        autograph=False,
    )
    np.testing.assert_array_equal(compiled(values), condition.vector(values))


@pytest.mark.parametrize("spec", WHOLE)
def test_values_of_another_kind_are_refused(spec):
    condition = build(spec)
    for wrong in (np.zeros([2, 3, 4]), np.full([5, condition.size + 1], 0.5), np.array(0.5)):
        with pytest.raises(ValueError, match=r"^The condition `.*` is (int32|float32)\['batch'"):
            condition.read(wrong)


@pytest.mark.parametrize("name", cases.EXAMPLES["conditions"])
def test_what_is_left_open_is_asked_for(name):
    with pytest.raises(ValueError, match=rf"Write `{name}\((num_classes=10|size=2)\)`"):
        _ = build(name).size


def test_a_label_is_one_of_its_classes_and_an_unknown_one_is_nan():
    label = build("label(num_classes=3)")
    np.testing.assert_array_equal(label.vector(label.read([2, 0])), [[0, 0, 1], [1, 0, 0]])
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=r"are 0 to 2\. Received labels from"):
            label.read([0, wrong])
        # A program can't raise: what it answers is no answer.
        assert np.isnan(label.vector(tf.constant([wrong]))).all()


def test_numbers_are_standardised_by_the_training_split():
    rng = np.random.default_rng(0)
    splits = {name: rng.normal([40, -1], [12, 0.5], (99, 2)) for name in ("train", "test")}
    vector = build("vector").fitted({k: v.astype(np.float32) for k, v in splits.items()})
    standardised = np.float64(vector.vector(vector.read(np.float32(splits["train"]))))
    # float32 of numbers around 40 keeps 6 digits of them.
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std(axis=0), 1, rtol=1e-5)
    again, values = build(str(vector.spec)), vector.examples(3)
    np.testing.assert_array_equal(again.vector(values), vector.vector(values))


def test_classes_are_counted_over_all_splits():
    splits = {"train": np.array([0, 1]), "test": np.array([4])}
    assert str(build("label").fitted(splits).spec) == "label(num_classes=5)"
    with pytest.raises(ValueError, match=r"are 0 to 3\. Received labels from 4 to 4"):
        build("label(num_classes=4)").fitted(splits)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("label(num_classes=0)", "`num_classes` is a positive int"),
        ("vector(size=2, mean=(1.0,))", "a tuple of one for each of its size=2"),
        ("vector(size=1, stddev=0.0)", "`stddev` of the condition `vector` is a positive number"),
        ("vector(size=1, mean='a')", "`mean` of the condition `vector` is a number"),
    ],
)
def test_options_out_of_range_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        build(spec)


def test_numbers_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="Number 1 of it is 5 in every example"):
        build("vector").fitted({"train": np.float32([[1, 5], [2, 5]])})
    with pytest.raises(ValueError, match="The numbers of a condition are finite"):
        build("vector(size=1)").read([[np.nan]])
