"""The JSON-LD processor: expansion and compaction by PyLD, offline, bounded and with contexts remembered."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from muniment.content.jsonld.contexts import METADATA, joined
from muniment.content.jsonld.guard import Find, Limits, gather_contexts, refuse_unfit
from muniment.content.jsonld.iris import absolute_iri, is_iri
from muniment.errors.delivery import InvalidJsonLd

_LOCK = threading.Lock()
"""Contexts that are remembered for all threads bear one at a time, and so does PyLD's memory of inverse ones."""
_BRIEF = 2_000
"""Values of a document that is processed with what is remembered, under the lock. A larger one takes long: it is
processed with a memory of its own, and nobody waits for it."""

_NO_LIMIT = 2**62
_REMEMBERED = 128
_REMEMBERED_TERMS = 200

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a project adds to its documents: base, vocabulary, and contexts that are resources of its own."""

    base: str
    vocab: str
    find: Find | None = field(default=None, compare=False)

    @property
    def context(self) -> dict[str, str]:
        """The context of documents that have none."""
        return {"@base": self.base, "@vocab": self.vocab}


class JsonLd:
    """Expands and compacts. One serves all projects and threads; it never opens a socket."""

    def __init__(self, limits: Limits | None = None) -> None:
        """Start with an empty memory of contexts."""
        self.limits = limits or Limits()
        # Expansion wraps every value in an array and an object.
        self._widened = Limits(depth=4 * self.limits.depth, values=8 * self.limits.values)
        # Ids are only looked up, so neither places nor pairs multiply.
        self._ids = replace(self.limits, values=8 * self.limits.values, pairs=_NO_LIMIT)
        self._remembered: _Recent = _Recent(_REMEMBERED)

    def context_of(self, source: Mapping[str, Any], scope: Scope) -> object:
        """The context a document is read with: its own, or the project's if it has none or an empty one."""
        own = source.get("@context")
        return own if own not in (None, {}, [], "") else scope.context

    def expand(self, source: object, scope: Scope, *, id: str | None = None) -> Node:
        """A resource in expanded form: one node under full IRIs.

        Args:
            source: The document as it was sent; it is not changed.
            scope: The project's part.
            id: The resource's id, where the document may leave it out.

        Raises:
            InvalidJsonLd: It is no JSON object, breaks JSON-LD, asks for a context that is not at hand,
                names something by what is no IRI, or is too large.
        """
        if not isinstance(source, Mapping):
            raise InvalidJsonLd(reason="it is not a JSON object")
        document = {**source, "@context": self.context_of(source, scope)}
        nodes = self._expand(document, scope)
        root: Node = nodes[0] if len(nodes) == 1 else ({"@graph": nodes} if nodes else {})
        found = root.get("@id", id)
        rest = {key: value for key, value in root.items() if key != "@id"}
        return rest if found is None else {"@id": found, **rest}

    def compact(self, node: Node, context: object, scope: Scope) -> Node:
        """An expanded node in the words of `context`, which is put on top; `@id` stays a full IRI.

        Raises:
            InvalidJsonLd: The context cannot be used.
        """
        from pyld import jsonld  # noqa: PLC0415 - PyLD takes 0.4 s to import; the command line starts without it

        values = refuse_unfit(node, self._widened)
        options, alone = self._options({"@context": context}, scope, values, self.limits)
        _guard_inverse_contexts()
        with alone, _Mapped():
            compacted = jsonld.compact(node, context, {**options, "skipExpansion": True})
        compacted.pop("@context", None)
        if "@id" in compacted:
            compacted["@id"] = node.get("@id", compacted["@id"])
        return {"@context": copy.deepcopy(context), **compacted}

    def expand_metadata(self, metadata: Mapping[str, Any], contexts: Iterable[str] = (METADATA,)) -> Node:
        """Metadata keys ('_rev' …) under full IRIs, by the shipped `contexts`.

        Raises:
            InvalidJsonLd: The metadata is not fit.
        """
        scope = Scope("", "")
        nodes = self._expand({**metadata, "@context": list(contexts)}, scope)
        return nodes[0] if nodes else {}

    def absolute(self, ids: Iterable[str], context: object, scope: Scope) -> list[str]:
        """Ids of a payload as IRIs, read with the payload's own context and the project's base.

        Raises:
            InvalidJsonLd: One is not an IRI, or the context cannot be used.
        """
        given = list(ids)
        document = {
            "@context": joined({"@base": scope.base}, context),
            "@id": "urn:muniment:selection",
            "urn:muniment:ids": [{"@id": text} for text in given],
        }
        nodes = self._expand(document, scope, self._ids)
        found = [item.get("@id") for node in nodes for item in node.get("urn:muniment:ids", [])]
        if len(found) != len(given):
            raise InvalidJsonLd(reason="one of its ids is not an IRI")
        return [str(iri) for iri in found]

    def resolver(self, context: object, scope: Scope, ids: Iterable[str] = ()) -> Callable[[str], str]:
        """A function that makes IRIs of a payload's ids: what `decode_selection` asks for.

        The context is processed once for all `ids`; for one that is not among them, once more.

        The function raises InvalidJsonLd for what is no IRI.

        Raises:
            InvalidJsonLd: The context cannot be used, or one of `ids` is no IRI.
        """
        if context in (None, {}, []):
            return lambda text: absolute_iri(text, scope.base)
        asked = list(dict.fromkeys(ids))
        known = dict(zip(asked, self.absolute(asked, context, scope), strict=True))

        def resolve(text: str) -> str:
            if text not in known:
                known[text] = self.absolute([text], context, scope)[0]
            return known[text]

        return resolve

    def _expand(self, document: Mapping[str, object], scope: Scope, limits: Limits | None = None) -> list[Node]:
        from pyld import jsonld  # noqa: PLC0415 - PyLD takes 0.4 s to import; the command line starts without it

        limits = limits or self.limits
        refuse_unfit(document, limits)
        body = {key: value for key, value in document.items() if key != "@context"}
        options, alone = self._options(document, scope, refuse_unfit(body, limits), limits)
        with alone, _Mapped():
            expanded = jsonld.expand(dict(document), {**options, "keepFreeFloatingNodes": True})
        nodes: list[Node] = [node for node in expanded if isinstance(node, dict) and "@value" not in node]
        refuse_unfit(nodes, replace(limits, depth=self._widened.depth, values=8 * limits.values))
        _refuse_bad_iris(nodes)
        return nodes

    def _options(
        self, document: object, scope: Scope, values: int, limits: Limits
    ) -> tuple[dict[str, object], AbstractContextManager[object]]:
        """What PyLD is told, and what to hold while it works."""
        from pyld import ContextResolver  # noqa: PLC0415 - PyLD takes 0.4 s to import

        loaded, survey = gather_contexts(document, scope.base, scope.find, limits, values)

        def load(address: str, _options: object) -> dict[str, object]:
            if address not in loaded:
                raise _NotAtHand(address)
            # PyLD writes into what it is given.
            found = copy.deepcopy(loaded[address])
            return {"contextUrl": None, "documentUrl": address, "document": found, "tag": "static"}

        shared = survey.shareable and survey.terms <= _REMEMBERED_TERMS and values <= _BRIEF
        resolver = ContextResolver(self._remembered if shared else _Recent(_REMEMBERED), load)
        options: dict[str, object] = {"base": scope.base, "documentLoader": load, "contextResolver": resolver}
        return options, _LOCK if shared else nullcontext()


class _InverseContexts(OrderedDict[str, Any]):
    """PyLD's memory of inverse contexts, which all threads share, in a form that bears them."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()

    def get(self, key: str, default: Any = None) -> Any:
        """One of the last."""
        with self._guard:
            return super().get(key, default)

    def __setitem__(self, key: str, value: object) -> None:
        with self._guard:
            super().__setitem__(key, value)
            while len(self) > _REMEMBERED:
                self.popitem(last=False)


def _guard_inverse_contexts() -> None:
    """Put a memory that bears threads in the place of PyLD's own, which may lose its order under them."""
    from pyld import jsonld  # noqa: PLC0415 - as above

    name = "_inverse_context_cache"
    if isinstance(getattr(jsonld, name), _InverseContexts):
        return
    with _LOCK:
        if not isinstance(getattr(jsonld, name), _InverseContexts):
            setattr(jsonld, name, _InverseContexts())


class _Recent(OrderedDict[str, object]):
    """The contexts used last; only touched under the lock."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, key: str, default: object = None) -> object:
        """What is remembered; asking for it keeps it."""
        if key in self:
            self.move_to_end(key)
        return super().get(key, default)

    def __setitem__(self, key: str, value: object) -> None:
        super().__setitem__(key, value)
        while len(self) > self._size:
            self.popitem(last=False)


class _NotAtHand(Exception):
    """A context was asked for that is neither shipped nor a resource of the project."""


class _Mapped:
    """Turns what PyLD raises into our error."""

    def __enter__(self) -> None:
        """Begin to watch."""

    def __exit__(self, kind: object, trouble: BaseException | None, trace: object) -> None:
        """Map the error, if it is one of the document's."""
        if trouble is None or not isinstance(trouble, Exception) or isinstance(trouble, InvalidJsonLd):
            return
        chain: list[BaseException] = [trouble]
        while (cause := chain[-1].__cause__) is not None:
            chain.append(cause)
        deepest = chain[-1]
        if isinstance(deepest, _NotAtHand):
            reason = f"the context {deepest} is neither shipped nor a resource that you may read, and none is fetched"
            raise InvalidJsonLd(reason=reason) from None
        # Odd documents make PyLD raise whatever its code runs into: KeyError, TypeError, RecursionError.
        said = deepest.args[0] if deepest.args else ""
        known = isinstance(said, str) and type(deepest).__name__ == "JsonLdError"
        reason = said.rstrip(".") if known else f"it cannot be processed ({type(deepest).__name__})"
        raise InvalidJsonLd(reason=reason) from trouble


def _refuse_bad_iris(nodes: list[Node]) -> None:
    waiting: list[object] = [nodes]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict) and "@value" not in value:
            names = [value["@id"]] if "@id" in value else []
            types = value.get("@type", [])
            names.extend(types if isinstance(types, list) else [types])
            for name in names:
                if not (isinstance(name, str) and (name.startswith("_:") or is_iri(name))):
                    raise InvalidJsonLd(reason=f"{name!r} is not an IRI")
            waiting.extend(item for key, item in value.items() if key not in {"@id", "@type"})
