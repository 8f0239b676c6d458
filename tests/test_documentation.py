"""What the documentation shows of the source is the source."""

import inspect
from pathlib import Path

from sklearn_adagrad import losses
from sklearn_adagrad.kernels.losses import CLASSIFICATION, REGRESSION

ROOT = Path(__file__).parents[1]


def test_the_loss_in_contributing_is_the_real_one():
    assert inspect.getsource(losses.Quantile).strip() in (ROOT / "CONTRIBUTING.md").read_text()


def test_every_loss_is_public_and_has_its_row_in_the_table():
    page = (ROOT / "docs" / "losses.md").read_text()
    for name, loss in (CLASSIFICATION | REGRESSION).items():
        assert loss.__name__ in losses.__all__
        assert f'| `"{name}"` | `{loss.__name__}(' in page
