"""Copies of an archive on stores: made as policies ask, read back, verified again and again, and restored from.

What a store holds is the truth about it: each copy has a record there, written last. The table in the control
database repeats these records so that lists are quick; `rebuild` makes it again.
"""
