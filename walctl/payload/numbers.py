"""Floating-point numbers in a request's tree: JSON has no words for three of them."""

import math


def json_number(value: float) -> float | str:
    """`value`, or the word that protobuf's JSON has for what JSON cannot write."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
