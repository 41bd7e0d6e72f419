"""The Distillery door: from a folder of scans to verified copies, access pages and the catalogue.

Its steps, what they work with, and in `http` its interface.
"""
