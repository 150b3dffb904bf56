"""Totals over private values: rounds of secure aggregation, their public course, each party's own part."""
