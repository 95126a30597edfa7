"""20. When the network changes in a spoken answer, the session stays the same, and no word is spoken twice."""

from pathlib import Path

import pytest

from tests.e2e.test_handover import test_an_answer_goes_on_over_the_new_peer as goes_on


@pytest.mark.parametrize("lost", [False, True], ids=["changed", "lost"])
def test_the_answer_goes_on_over_the_new_network(tmp_path: Path, lost: bool) -> None:
    goes_on(tmp_path, lost)
