#!/usr/bin/env python3
"""What other ways tell of labelled flows: the past teaches, the second half of the time is scored.

usage: labelled_flows.py FLOWS [PAST]

FLOWS   CSV (plain or gzip) with start,end,orig_bytes,resp_bytes,orig_pkts,resp_pkts,label,detail
PAST    where the rows that teach are written, for `auscult train`: the benign ones before the middle of the time

Prints the middle, and the flow AUC of each attack and their mean. Needs numpy, pandas, scikit-learn and pyod.
"""

import sys

import numpy as np
import pandas as pd
from pyod.models.ecod import ECOD
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

SEED = 1
COUNTS = ["orig_bytes", "resp_bytes", "orig_pkts", "resp_pkts"]


def scores(learned, everything):
    """Name and score (higher is odder) of each way; k-means has 16 clusters, LOF 20 neighbours and a jitter against ties."""
    yield "isolation forest", -IsolationForest(random_state=SEED, n_estimators=200).fit(learned).score_samples(everything)
    yield "k-means", KMeans(n_clusters=16, n_init=4, random_state=SEED).fit(learned).transform(everything).min(1)
    jitter = np.random.default_rng(SEED).normal(0, 1e-6, learned.shape)
    yield "LOF", -LocalOutlierFactor(n_neighbors=20, novelty=True).fit(learned + jitter).score_samples(everything)
    yield "ECOD", ECOD().fit(learned).decision_function(everything)


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    flows = pd.read_csv(sys.argv[1])
    number = lambda name: pd.to_numeric(flows[name], errors="coerce")
    duration = (number("end") - flows.start).fillna(0).clip(lower=0)
    values = np.log1p(np.column_stack([duration] + [number(name).fillna(0) for name in COUNTS]))
    middle = (flows.start.min() + flows.start.max()) / 2
    benign, bad, detail = flows.label == "benign", flows.label == "malicious", flows.detail.fillna("")
    past, later = (benign & (flows.start < middle)).values, (flows.start >= middle).values
    print(f"middle {middle:.6f}: {past.sum()} flows teach, {later.sum()} are scored")
    if len(sys.argv) == 3:
        flows[past].to_csv(sys.argv[2], index=False)
    scaler = StandardScaler().fit(values[past])
    for name, score in scores(scaler.transform(values[past]), scaler.transform(values)):
        aucs = {}
        for attack in sorted(detail[bad].unique()):
            of, others = (bad & later & (detail == attack)).values, (benign & later).values
            if of.any():
                truth = np.r_[np.ones(of.sum()), np.zeros(others.sum())]
                aucs[attack] = roc_auc_score(truth, np.r_[score[of], score[others]])
        print(f"{name:17}{np.mean(list(aucs.values())):.3f}  " + ", ".join(f"{a} {v:.3f}" for a, v in aucs.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
