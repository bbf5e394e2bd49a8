import concurrent.futures
import threading

import pytest

from tests.replay.steps import make, step


def test_batches_that_are_not_there():
    buffer = make()
    with pytest.raises(ValueError, match=r"stored, 0\. Received: batch_size=4"):
        buffer.sample(4)
    buffer.add(**step())
    with pytest.raises(ValueError, match=r"stored, 1\. Received: batch_size=4"):
        buffer.sample(4)
    with pytest.raises(ValueError, match=r"capacity, 10\. Received: batch_siz"):
        buffer.batches(11)
    with pytest.raises(ValueError, match=r"Received: batch_size=0\."):
        buffer.sample(0)


def test_a_draw_in_another_thread_keeps_the_next_step_waiting():
    buffer = make()
    for _ in range(5):
        buffer.add(**step())
    read = buffer._ring.read
    reading, go_on = threading.Event(), threading.Event()

    def slow_read(*arguments):
        reading.set()
        go_on.wait(timeout=60)
        return read(*arguments)

    buffer._ring.read = slow_read
    with concurrent.futures.ThreadPoolExecutor() as pool:
        drawn = pool.submit(buffer.feed.draw, 2)
        reading.wait(timeout=60)
        added = pool.submit(buffer.add, **step())
        # Time enough to store a step, if nothing kept it from that.
        concurrent.futures.wait([added], timeout=0.2)
        waited = not added.done() and len(buffer) == 5
        go_on.set()
    assert waited
    assert drawn.result()[0].shape == (2, 3) and len(buffer) == 6
