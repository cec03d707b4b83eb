"""Matching: frames in, frames out. No database, no Django, no files.

`match` pairs two sides and says of every row how it ended; `learn_from` finds a model in the rows; `reasons` puts a
pair's score into words; `attribute` finds whose trip a toll or ticket was made from.
"""
