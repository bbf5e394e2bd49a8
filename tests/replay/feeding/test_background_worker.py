import threading

import pytest

from keras_rlkit.replay.feeding.background_worker import BackgroundWorker


def test_jobs_run_one_after_another_in_a_thread_of_their_own():
    worker, order, threads = BackgroundWorker(), [], set()

    def job(number):
        order.append(number)
        threads.add(threading.get_ident())
        return number * 2

    futures = [worker.submit(job, number) for number in range(20)]
    assert [future.result() for future in futures] == list(range(0, 40, 2))
    assert order == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_settling_waits_for_all_jobs():
    worker, gate, done = BackgroundWorker(), threading.Event(), []

    def job():
        gate.wait(timeout=60)
        done.append(True)

    for _ in range(3):
        worker.submit(job)
    assert not done
    threading.Timer(0.05, gate.set).start()
    worker.settle()
    assert len(done) == 3
    # There is nothing left to wait for.
    worker.settle()


def test_an_error_comes_out_of_its_own_job():
    worker = BackgroundWorker()

    def fail():
        raise ZeroDivisionError("not here")

    bad, good = worker.submit(fail), worker.submit(int)
    worker.settle()
    assert good.result() == 0
    with pytest.raises(ZeroDivisionError, match="not here"):
        bad.result()


def test_without_a_job_there_is_no_thread():
    before = threading.active_count()
    BackgroundWorker().settle()
    assert threading.active_count() == before
