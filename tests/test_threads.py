"""Who says how many threads may compute."""

from concurrent.futures import ThreadPoolExecutor

from slth.threads import at_most_threads, processors, usable_threads


def test_all_processors_unless_told_fewer():
    assert usable_threads() == processors() >= 1
    with at_most_threads(1):
        assert usable_threads() == 1
        with at_most_threads(10**6):
            assert usable_threads() == processors()
        assert usable_threads() == 1
    assert usable_threads() == processors()


def test_one_callers_limit_is_not_anothers():
    with ThreadPoolExecutor(1) as pool, at_most_threads(1):
        assert pool.submit(usable_threads).result() == processors()
