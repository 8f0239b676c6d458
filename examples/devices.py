"""The same clicks, learnt where you say: on the processor, or on a GPU.

    python examples/devices.py                       # the processor, a few seconds
    python examples/devices.py --device cuda         # the first GPU
    python examples/devices.py --device cuda:1 --rows 1000000

The clicks are drawn from a seed, as in sparse_models.py. They are learnt once, in batches of 1/128
of the rows so far, in chunks; the model is then learnt once more on the processor, and the two
are compared. A GPU needs python -m pip install "sklearn-adagrad[cuda]", and its driver.
"""

import argparse
import time

import numpy as np
from sparse_models import Rows, generated_rows, hashed

from sklearn_adagrad import AdagradClassifier

BATCH = 1 / 128


def learnt(device: str, X: Rows, y: np.ndarray, chunk: int) -> AdagradClassifier:
    model = AdagradClassifier(lr=0.05, batch_size=BATCH, device=device)
    began = time.perf_counter()
    for start in range(0, len(y), chunk):
        part = slice(start, start + chunk)
        model.partial_fit(X[part], y[part], classes=[0, 1])
    taken = time.perf_counter() - began
    print(f"{device:8} loss {model.progressive_loss_:.5f}, {taken:6.2f} s with compilation")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--chunk", type=int, default=10_000, help="rows of a call")
    options = parser.parse_args()
    X, y = hashed(generated_rows(options.rows), 18)
    print(f"{X.shape[0]:,} rows, {X.nnz:,} entries")
    models = [learnt(device, X, y, options.chunk) for device in (options.device, "cpu")]
    one, other = (model.coef_ for model in models)
    apart = np.abs(one - other).max() / np.abs(other).max()
    print(f"weights differ by at most {apart:.1e} of the largest")


if __name__ == "__main__":
    main()
