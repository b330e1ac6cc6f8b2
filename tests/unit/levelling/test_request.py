"""What cannot be meant is refused where it is asked for."""

import numpy as np
import pytest

from levelling.errors import InvalidTarget
from levelling.request import LevelRequest


@pytest.mark.parametrize("budget", [10.5, 10.0, True, "10", float("nan"), 0, -3])
def test_a_budget_is_a_whole_number_above_0(budget):
    with pytest.raises(InvalidTarget, match="budget must be") as error:
        LevelRequest(budget=budget)
    assert error.value.metadata["field"] == "budget"


def test_a_budget_may_come_from_an_array():
    assert LevelRequest(budget=np.array([12])[0]).budget == 12


def test_what_is_out_of_range_is_a_value_error_too():
    with pytest.raises(ValueError, match="max_repeat must be a number at least 1"):
        LevelRequest(max_repeat=0.5)
