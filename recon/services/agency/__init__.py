"""Tolls and tickets: loaded (`importing`), entered by a clerk (`entering`), looked at (`looking`, `settling`), decided
about by people (`deciding`, `correcting`, `revising`). What moves money for all of them is in `money`.
"""
