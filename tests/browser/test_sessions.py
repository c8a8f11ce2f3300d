"""What an open tab costs the server."""

import pytest

from benchmarks.sessions import memory_of_tabs

MOST_MEGABYTES = 50


@pytest.mark.slow
def test_ten_idle_tabs_cost_little_memory_each(browser, server):
    memory = memory_of_tabs(browser, server.address, server.process.pid, tabs=10)
    assert memory.first > 0
    assert memory.each < MOST_MEGABYTES
