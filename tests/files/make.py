"""Make files of the present format, into a folder of their own: python tests/files/make.py.

What was made is to be loaded for ever: files that exist stay as they are.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, FieldHasher, save
from sklearn_adagrad.files.models import FORMAT
from sklearn_adagrad.rules import Adagrad, Averaged, ImportanceAware, Momentum, ScaleFree

rng = np.random.default_rng(0)
X = (rng.standard_normal((30, 40)) * (rng.random((30, 40)) < 0.1)).round(3)
X[:, 12:] = 0.0  # features that no row has
fields = {"age": "quantiles", "n": "log"}
hasher = FieldHasher(2**8, fields=fields, interactions=[("site", "n")], dtype=np.float32)
TABLE = [
    {"site": f"ü{n % 5}.com", "age": None if n == 3 else 1.5 * n, "n": n**2} for n in range(30)
]
CLICKS = (np.arange(30) % 3 == 0).astype(int)
MODELS = {
    "classifier": (AdagradClassifier(lr=0.1), X, CLICKS),
    "classes": (
        AdagradClassifier(
            lr=0.1,
            rule=Momentum(Adagrad(True), 0.5), multi_class="multinomial", class_weight="balanced",
        ),
        X.astype(np.float32), np.array(["ä", "b", "c"])[np.arange(30) % 3],
    ),
    "labels": (
        AdagradClassifier("squared_hinge", lr=0.1, rule=Averaged(Adagrad())),
        X, (X[:, :4] > 0) + 0,
    ),
    "regressor": (
        AdagradRegressor("poisson", lr=0.1, rule="ftrl", alpha=np.full(40, 0.1), l1_ratio=0.5), X,
        np.arange(30) % 4.0,
    ),
    "pipeline": (make_pipeline(hasher, AdagradClassifier(lr=0.1)), TABLE, CLICKS),
    "scales": (
        AdagradRegressor(lr=0.1, rule=ImportanceAware(ScaleFree("adagrad"))), 100.0 * X,
        100.0 + np.arange(30) % 7.0,
    ),
    "auto": (AdagradClassifier(lr="auto"), X.astype(np.float32), np.arange(30) % 3),
    "auto_numbers": (AdagradRegressor(lr="auto", alpha=0.01), X, np.arange(30) % 5.0),
}  # fmt: skip


def main():
    folder = Path(__file__).parent / f"format_{FORMAT}"
    folder.mkdir(exist_ok=True)
    for name, (model, rows, y) in MODELS.items():
        if (folder / f"{name}.json").exists():
            continue
        model.set_params(**{each: 1 for each in model.get_params() if each.endswith("max_iter")})
        model.set_params(**{each: None for each in model.get_params() if each.endswith("__tol")})
        if hasattr(model, "tol"):
            model.tol = None
        model.fit(rows, y)
        methods = ("decision_function", "predict_proba", "predict")
        known = {
            "rows": rows if isinstance(rows, list) else rows.tolist(),
            "y": y.tolist(),
            "predictions": [
                getattr(model, each)(rows).tolist() for each in methods if hasattr(model, each)
            ],
        }
        (folder / f"{name}.json").write_text(json.dumps(known))
        for kind in ("", "-serving"):
            save(model, folder / f"{name}{kind}.safetensors", serving=bool(kind))


if __name__ == "__main__":
    main()
