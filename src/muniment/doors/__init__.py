"""The doors: each a way of working that people already have, with its steps, its domain and its HTTP interface.

No door knows another; what several need lies in `workflows` and `http`.
"""
