"""From what was asked for to a levelled dataset, row by row: policies, sizes, picks, notes.

Begin with `levelling.plans.plan`.
"""
