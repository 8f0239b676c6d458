"""What the documentation shows of the source is the source."""

import inspect
from pathlib import Path

import pytest

from sklearn_adagrad import losses, optim, rules
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.formulas.rules import RULES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("shown", [losses.Quantile, rules.DualAveraging])
def test_what_contributing_shows_is_real(shown):
    assert inspect.getsource(shown).strip() in (ROOT / "CONTRIBUTING.md").read_text()


def test_every_rule_is_public_and_on_its_page():
    page = (ROOT / "docs" / "rules.md").read_text()
    for name, rule in RULES.items():
        assert rule.__name__ in rules.__all__
        assert f'| `"{name}"` | `{rule.__name__}(' in page
    for name in rules.__all__:
        assert name in page or name.islower()  # functions for rules of one's own


def test_every_preset_is_on_the_page_of_systems():
    page = (ROOT / "docs" / "systems.md").read_text()
    for name in set(optim.__all__) - {"Optimizer", "SparseRows"}:
        assert f"optim.{name}(" in page


def test_every_loss_is_public_and_has_its_row_in_the_table():
    page = (ROOT / "docs" / "losses.md").read_text()
    for name, loss in (CLASSIFICATION | REGRESSION).items():
        assert loss.__name__ in losses.__all__
        assert f'| `"{name}"` | `{loss.__name__}(' in page
