"""Calls side by side: in order, several at once, and none after one has failed."""

import threading
import time

import pytest
import tensorflow as tf

from tfvae import side_by_side


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(side_by_side, "num_cores", lambda: 2)


def test_results_come_in_the_order_of_the_items(two_cores):
    assert list(side_by_side.run(lambda item: item * item, range(50))) == [i * i for i in range(50)]


def test_two_calls_run_at_once(two_cores):
    both = threading.Barrier(2)  # neither passes alone
    assert sorted(side_by_side.run(lambda _: both.wait(timeout=30), range(2))) == [0, 1]


def test_what_waits_is_left_out_once_a_call_has_failed(two_cores):
    begun = []

    def call(item):
        begun.append(item)
        if item == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)

    results = side_by_side.run(call, range(100))
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert len(begun) < 100


def test_while_a_function_is_traced_all_is_of_its_thread():
    threads = []

    def call(item):
        threads.append(threading.current_thread())
        return item

    @tf.function
    def total():
        return sum(side_by_side.run(call, [tf.constant(1), tf.constant(2)]))

    assert total() == 3
    assert set(threads) == {threading.current_thread()}


def test_an_accelerator_takes_one_call_at_a_time(monkeypatch, two_cores):
    monkeypatch.setattr(side_by_side, "_has_accelerator", lambda: True)
    threads = list(side_by_side.run(lambda _: threading.current_thread(), range(4)))
    assert set(threads) == {threading.current_thread()}
