"""Files of logs, in the formats that learners read, made from seeds or from a file of clicks."""

import lzma
from pathlib import Path

import numpy as np

from . import data

NAMES = ["label", *(f"I{n}" for n in range(1, 14)), *(f"C{n}" for n in range(1, 27))]
N_NUMBERS, N_NAMES = 13, 26
_BASE = 20_000  # rows that are repeated with changes


def clicks(rows, criteo=None):
    """The same rows as TSV, Parquet and two kinds of Vowpal Wabbit's text: a path for each.

    ``criteo`` is a file in the format of the Criteo challenge whose rows are repeated as they are.
    """
    name = "log-criteo" if criteo else "log"
    suffixes = (".tsv", ".parquet", ".vw", ".namespaces.vw")
    paths = [data.file_of(name, rows, suffix) for suffix in suffixes]
    if not all(path.exists() for path in paths):
        table = _repeated(criteo, rows) if criteo else _perturbed(rows)
        unfinished = [path.with_name(f"unfinished-{path.name}") for path in paths]
        _write(table, *unfinished)
        for made, path in zip(unfinished, paths, strict=True):
            made.replace(path)
    return dict(zip(("tsv", "parquet", "vw", "namespaces"), paths, strict=True))


def eat_rate(rows):
    """Vowpal Wabbit's text with two namespaces of 1,000 values that matter only together.

    Ten random features are beside them. Source: the description of the "eat rate" data of
    Fwumious Wabbit's benchmark.
    """
    path = data.file_of("eat-rate", rows, ".vw")
    if not path.exists():
        rng = np.random.default_rng(0)
        eaters, foods = rng.integers(0, 1000, (2, rows))
        likes = rng.random((1000, 1000)) < 0.5
        eats = rng.random(rows) < np.where(likes[eaters, foods], 0.9, 0.1)
        others = rng.integers(0, 1000, (rows, 10))
        unfinished = path.with_name(f"unfinished-{path.name}")
        with unfinished.open("w", encoding="ascii") as file:
            for label, a, b, rest in zip(eats, eaters, foods, others.tolist(), strict=True):
                features = " ".join(f"r{n}" for n in rest)
                file.write(f"{1 if label else -1} |A a{a} |B b{b} |C {features}\n")
        unfinished.replace(path)
    return path


def _perturbed(rows):
    """Rows as in logs of clicks: every tenth name of a row that is repeated is another one."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    sizes = np.geomspace(4, 2_000_000, N_NAMES).astype(np.int64)
    base = np.stack([rng.zipf(1.3, _BASE) % size for size in sizes])
    weights = rng.normal(0, 0.5, 2**16)
    score = weights[(base * 2654435761 + np.arange(N_NAMES)[:, None] * 97) % 2**16].sum(axis=0)
    taken = rng.integers(0, _BASE, rows)
    chance = 1 / (1 + np.exp(-(score[taken] - 1.5)))
    columns = {"label": pa.array((rng.random(rows) < chance).astype(np.int8))}
    for n in range(N_NUMBERS):
        numbers = rng.geometric(0.5 ** (1 + n % 7), _BASE)[taken]
        columns[f"I{n + 1}"] = pa.array(numbers, mask=(rng.random(_BASE) < 0.05 * n)[taken])
    for n, size in enumerate(sizes):
        changed = np.where(rng.random(rows) < 0.1, rng.zipf(1.3, rows) % size, base[n][taken])
        values, codes = np.unique(changed, return_inverse=True)
        texts = [f"{value:08x}" for value in ((values * 2654435761 + n) & 0xFFFFFFFF).tolist()]
        codes = pa.array(codes.astype(np.int32), mask=(rng.random(_BASE) < 0.01 * n)[taken])
        columns[f"C{n + 1}"] = pa.DictionaryArray.from_arrays(codes, texts).dictionary_decode()
    return pa.table({name: columns[name] for name in NAMES})


def _repeated(criteo, rows):
    import pandas as pd
    import pyarrow as pa

    opener = lzma.open if Path(criteo).suffix == ".xz" else open
    with opener(criteo, "rb") as file:
        frame = pd.read_csv(file, sep="\t", names=NAMES, dtype=str, keep_default_na=False)
    frame = pd.concat([frame] * -(-rows // len(frame)))[:rows].replace("", None)
    columns = {name: pa.array(frame[name], from_pandas=True, type=pa.string()) for name in NAMES}
    return pa.table(columns | {"label": columns["label"].cast(pa.int8())})


def _write(table, tsv, parquet, vw, namespaces):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet

    texts = {name: pc.fill_null(table[name].cast(pa.string()), "") for name in NAMES}
    how = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    pyarrow.csv.write_csv(pa.table(texts), tsv, how)
    strings = {name: table[name].cast(pa.string()) for name in NAMES[1:]}
    pyarrow.parquet.write_table(pa.table({"label": table["label"]} | strings), parquet)
    labels = pc.if_else(pc.equal(table["label"], 1), "1", "-1")
    named = [
        pc.binary_join_element_wise(pa.scalar(f"{name}="), texts[name], "") for name in NAMES[1:]
    ]
    apart = [
        pc.binary_join_element_wise(pa.scalar(f"|{name} "), texts[name], "") for name in NAMES[1:]
    ]
    for path, parts in ((vw, [pa.scalar("|"), *named]), (namespaces, apart)):
        lines = pc.binary_join_element_wise(labels, *parts, " ")
        with path.open("w", encoding="ascii") as file:
            for chunk in lines.chunks:
                file.write("\n".join(chunk.to_pylist()) + "\n")
