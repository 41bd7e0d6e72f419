"""The rules of OCFL 1.0 and 1.1, one per file; `object` and `root` are the lists of them."""
