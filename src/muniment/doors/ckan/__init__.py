"""CKAN: the resources of open-data portals, checked, archived and reported on, with every change of them kept.

A portal is harvested (`harvest`), each of its links is checked (`link`), what it gives is archived as an instance of
a Muniment resource (`archiving`), the result is recorded (`records`) and written back (`write_back`).
"""
