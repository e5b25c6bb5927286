#!/usr/bin/env python3
"""Writes scikit-learn's handwritten digits for the example `digits`: images (1797, 8, 8) from 0 to 1
and labels. They are Alpaydin and Kaynak's "Optical recognition of handwritten digits" (CC BY 4.0),
https://doi.org/10.24432/C50P49.

    pip install scikit-learn
    examples/digits.py build/digits.npz
"""
import sys

import numpy
from sklearn.datasets import load_digits

if len(sys.argv) != 2:
    sys.exit("usage: digits.py OUT.npz")
digits = load_digits()
order = numpy.random.default_rng(0).permutation(len(digits.target))
numpy.savez(sys.argv[1], images=(digits.images[order] / 16).astype("float32"),
            labels=digits.target[order].astype("int64"))
