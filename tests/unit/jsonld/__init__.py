"""Tests of JSON-LD without a network: forms, RDF, ids, printing, and hostile documents."""
