"""What an open tab costs the server."""

import pytest

from benchmarks.sessions import memory_of_tabs

MOST_MEGABYTES = 50


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("tabs", [3, 10])
def test_idle_tabs_cost_little_memory_each(browser, server, tabs):
    memory = memory_of_tabs(browser, server.address, server.pid, tabs, settle=1)
    assert memory.first > 0
    assert memory.each < MOST_MEGABYTES
