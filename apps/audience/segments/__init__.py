"""Segments: who is meant, said in rules and asked as one SQL condition; and lists of people.

`rules` (pure) reads the tree, `fields` is the whitelist that higher apps add to, `compiling` makes the condition, `pages` and `counting`
ask it, `stored` and `keeping` read and write segments, `lists` puts people on lists. What is a segment is in docs/segments.md.
"""
