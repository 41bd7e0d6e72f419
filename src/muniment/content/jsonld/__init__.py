"""JSON-LD without a network: expansion, compaction, RDF, ids and printing for the resources of a project.

Contexts come from a table that is shipped, then from the project through `Scope.find`; anything else is
refused. PyLD is imported on first use. One `JsonLd` serves a whole process.
"""

from __future__ import annotations

from muniment.content.jsonld.contexts import (
    ARCHIVES,
    ARCHIVES_METADATA,
    CONTEXTS,
    ERROR,
    FILES,
    METADATA,
    SEARCH,
    SHIPPED,
    VOCABULARY,
    joined,
)
from muniment.content.jsonld.guard import Limits
from muniment.content.jsonld.iris import (
    BUILT_IN_MAPPINGS,
    DEFAULT_RESOLVER,
    IdSpace,
    absolute_iri,
    encode_segment,
    is_iri,
)
from muniment.content.jsonld.numbers import dumps
from muniment.content.jsonld.printing import (
    expanded_with_metadata,
    in_nexus_order,
    parse_json,
    print_source,
    with_metadata,
)
from muniment.content.jsonld.processor import JsonLd, Scope
from muniment.content.jsonld.rdf import Literal, Quad, dot, n_quads, n_triples, quads

__all__ = [
    "ARCHIVES",
    "ARCHIVES_METADATA",
    "BUILT_IN_MAPPINGS",
    "CONTEXTS",
    "DEFAULT_RESOLVER",
    "ERROR",
    "FILES",
    "METADATA",
    "SEARCH",
    "SHIPPED",
    "VOCABULARY",
    "IdSpace",
    "JsonLd",
    "Limits",
    "Literal",
    "Quad",
    "Scope",
    "absolute_iri",
    "dot",
    "dumps",
    "encode_segment",
    "expanded_with_metadata",
    "in_nexus_order",
    "is_iri",
    "joined",
    "n_quads",
    "n_triples",
    "parse_json",
    "print_source",
    "quads",
    "with_metadata",
]
