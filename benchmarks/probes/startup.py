"""Prints how long imports and first calls take in this process."""

import json
import time


def seconds(call, *arguments):
    """Seconds that ``call(*arguments)`` takes."""
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


def import_sklearn():
    """What nearly every user has imported before."""
    import sklearn.linear_model  # noqa: F401


def import_ours():
    """What this package adds to that."""
    import sklearn_adagrad  # noqa: F401


def main():
    """Import, then train and predict, each for the first time and again."""
    taken = {"import_sklearn": seconds(import_sklearn), "import_ours": seconds(import_ours)}

    from sklearn_adagrad import AdagradClassifier

    from ..data import uniform

    X, y = uniform(1000, 2**18, "float32")
    model = AdagradClassifier(lr=0.1, max_iter=2, tol=None, random_state=0)
    for name, call, arguments in (
        ("fit", model.fit, (X, y)),
        ("predict_proba", model.predict_proba, (X,)),
    ):
        taken[f"first_{name}"] = seconds(call, *arguments)
        taken[f"later_{name}"] = min(seconds(call, *arguments) for _ in range(3))
    print(json.dumps(taken))


main()
